"""Choice of the adapter for a model call of the ``bedrock-runtime`` client of ``botocore``.

All methods of all of its clients are made at run time, and call one method with the operation's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specspan.instrument.adapter import Adapter
from specspan.instrument.gate import note_undecided
from specspan.instrument.providers.bedrock import converse, invoke
from specspan.instrument.providers.bedrock.client import operation_name

_MODEL_CALLS = {
    "Converse": converse.ADAPTER,
    "ConverseStream": converse.ADAPTER,
    "InvokeModel": invoke.ADAPTER,
    "InvokeModelWithResponseStream": invoke.ADAPTER,
}
_AGENTS = "bedrock-agent-runtime"
_UNDECIDED = {
    "AgenticRetrieveStream": _AGENTS,
    "GetAsyncInvoke": "bedrock-runtime",
    "GetFlowExecution": _AGENTS,
    "GetInvocationStep": _AGENTS,
    "InvokeAgent": _AGENTS,
    "InvokeFlow": _AGENTS,
    "InvokeInlineAgent": _AGENTS,
    "InvokeModelWithBidirectionalStream": "bedrock-runtime",
    "OptimizePrompt": _AGENTS,
    "RetrieveAndGenerate": _AGENTS,
    "RetrieveAndGenerateStream": _AGENTS,
    "StartAsyncInvoke": "bedrock-runtime",
}
"""Service of each operation that hands out answers, or leads to them, and is not decided."""


def _choose(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Adapter | None:
    operation = operation_name(args, kwargs)
    adapter, undecided_in = _MODEL_CALLS.get(operation), _UNDECIDED.get(operation)
    if adapter is None and undecided_in is None:
        return None
    service = client.meta.service_model.service_name
    if service == undecided_in:
        note_undecided(f"{operation} of {service}")
    return adapter if service == "bedrock-runtime" else None


ADAPTERS = (replace(converse.ADAPTER, methods=("botocore.client:BaseClient._make_api_call",), choose=_choose),)
