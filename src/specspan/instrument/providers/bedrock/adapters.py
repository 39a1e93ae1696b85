"""Amazon Bedrock through ``botocore``, and so through ``boto3``: the model calls of its ``bedrock-runtime`` client.

All methods of all of its clients are made at run time, and call one method with the operation's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specspan.instrument.adapter import Adapter
from specspan.instrument.providers.bedrock import converse as _bedrock_converse
from specspan.instrument.providers.bedrock import invoke as _bedrock_invoke
from specspan.instrument.providers.bedrock.client import operation_name

_MODEL_CALLS = {
    "Converse": _bedrock_converse.ADAPTER,
    "ConverseStream": _bedrock_converse.ADAPTER,
    "InvokeModel": _bedrock_invoke.ADAPTER,
    "InvokeModelWithResponseStream": _bedrock_invoke.ADAPTER,
}


def _choose(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Adapter | None:
    adapter = _MODEL_CALLS.get(operation_name(args, kwargs))
    if adapter is None or client.meta.service_model.service_name != "bedrock-runtime":
        return None
    return adapter


ADAPTERS = (replace(_bedrock_converse.ADAPTER, methods=("botocore.client:BaseClient._make_api_call",), choose=_choose),)
