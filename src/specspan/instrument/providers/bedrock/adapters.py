"""Choice of the adapter for a model call of the ``bedrock-runtime`` client of ``botocore``.

All methods of all of its clients are made at run time, and call one method with the operation's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specspan.instrument.adapter import Adapter
from specspan.instrument.providers.bedrock import converse, invoke
from specspan.instrument.providers.bedrock.client import operation_name

_MODEL_CALLS = {
    "Converse": converse.ADAPTER,
    "ConverseStream": converse.ADAPTER,
    "InvokeModel": invoke.ADAPTER,
    "InvokeModelWithResponseStream": invoke.ADAPTER,
}


def _choose(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Adapter | None:
    adapter = _MODEL_CALLS.get(operation_name(args, kwargs))
    if adapter is None or client.meta.service_model.service_name != "bedrock-runtime":
        return None
    return adapter


ADAPTERS = (replace(converse.ADAPTER, methods=("botocore.client:BaseClient._make_api_call",), choose=_choose),)
