"""An agent that works through another service, which keeps to what the agent was allowed.

Starts `tool_service.py` for as long as it runs. Both write to one file; at the end it says how to see the trace.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from opentelemetry import propagate, trace

import specspan

HERE = Path(__file__).parent
SCOPE = specspan.ScopeOfAutonomy(
    allowed_tools=("search_orders", "issue_refund"),
    limits={"issue_refund": {"amount": specspan.ArgumentLimit(max=50)}},
    details={"on_behalf_of": "ann"},
)


@specspan.observe(model="a-script", provider="local")
def plan(request: str) -> str:
    """What a model would be asked: which tools to call. This is a script, so that the example needs none."""
    refund = {"order": "A-1", "amount": 80 if "all" in request else 20}
    last = ["delete_account", {"customer": "ann"}] if "forget" in request else ["issue_refund", refund]
    return json.dumps([["search_orders", {"customer": "ann"}], last])


@specspan.observe
def use(port: int, tool: str, arguments: dict[str, Any]) -> str:
    """Have the other service run a tool. What goes with the request is OpenTelemetry's to say, scope included."""
    headers = {"Content-Type": "application/json"}
    propagate.inject(headers)
    call = Request(f"http://127.0.0.1:{port}/{tool}", json.dumps(arguments).encode(), headers)
    try:
        with urlopen(call) as answer:
            return str(json.load(answer)["text"])
    except HTTPError as refused:
        return f"not allowed: {json.load(refused)['text']}"


@specspan.observe
def agent(port: int, request: str) -> tuple[str, str]:
    """Do what is asked, within the scope. Returns the answer and the id of its trace."""
    answer = " ".join(use(port, tool, arguments) for tool, arguments in json.loads(plan(request)))
    return answer, f"{trace.get_current_span().get_span_context().trace_id:032x}"


if __name__ == "__main__":
    os.environ.setdefault("SPECSPAN_SCOPE_KEY", f"example:{secrets.token_hex(16)}")
    service = subprocess.Popen(
        [sys.executable, HERE / "tool_service.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert service.stdin is not None
    assert service.stdout is not None
    specspan.configure(HERE / "policy.yaml", service_name="gateway", db="specspan.db")
    trace_id = ""
    with service, service.stdin, service.stdout:
        port = int(service.stdout.readline())
        with specspan.context(user="ann", scope=SCOPE):
            for request in ("Refund 20 of my order.", "Refund all of it.", "Now forget me."):
                answer, trace_id = agent(port, request)
                print(f"{request} {answer}")
    print(f"specspan traces show {trace_id}")
