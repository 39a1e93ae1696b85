"""Python functions that Google's client calls by itself where the model wants them called.

In a stream it does so as soon as the call has come, before the answer is decided: so each is decided by itself, too.
"""

from __future__ import annotations

from specspan.instrument.activity import Activity
from specspan.instrument.adapter import Invocation
from specspan.instrument.tools import tool_call

_CALLS = "google.genai._extra_utils:invoke_function_from_dict_args"


def _tool(call: Invocation) -> tool_call:
    given = dict(zip(("args", "function_to_invoke"), call.args, strict=False)) | dict(call.kwargs)
    return tool_call(given["function_to_invoke"].__name__, given["args"])


ACTIVITY = Activity(
    block=_tool,
    methods=(_CALLS, f"{_CALLS}_async"),
    package="google.genai",
    install="specspan[google]",
)
