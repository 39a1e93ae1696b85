"""`examples/two_services`: a scope on its way from one process to another, over HTTP, and one trace of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from documents import ROOT
from specspan.instrument.scope_keys import Keys
from specspan.instrument.scope_token import token
from specspan.scope.model import ScopeOfAutonomy

EXAMPLE = ROOT / "examples" / "two_services"
PATIENCE_S = 60
SECRET = "a secret of two services"
OURS = Keys("k", {"k": SECRET.encode()})
SEARCH = ScopeOfAutonomy(("search_orders",))


def specspan(folder: Path, *arguments: str) -> str:
    """What the command line prints."""
    run = [sys.executable, "-c", "from specspan.cli.start import main; main()", *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(run, check=True, cwd=folder, env=wide, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout


def test_one_trace_shows_both_services(tmp_path: Path) -> None:
    """What the scope allows is done by the other service; what it does not is blocked there, as the trace shows."""
    done = subprocess.run(
        [sys.executable, EXAMPLE / "gateway.py"],
        check=False,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "SPECSPAN_SCOPE_KEY"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *answers, command = done.stdout.splitlines()
    assert answers == [
        "Refund 20 of my order. ann has order A-1. 20 EUR for A-1 are on their way.",
        "Refund all of it. ann has order A-1. not allowed: issue_refund: argument_over_limit",
        "Now forget me. ann has order A-1. not allowed: delete_account: tool_out_of_scope",
    ]
    name, *arguments = command.split()
    assert name == "specspan"
    tree = specspan(tmp_path, *arguments)
    assert "gateway, tools" in tree
    assert "execute_tool delete_account" in tree
    assert "governed by scope_of_autonomy (tool_out_of_scope)" in tree
    spans = {span["name"]: span for span in json.loads(specspan(tmp_path, *arguments, "--json"))["spans"]}
    here, there = spans["agent"], spans["execute_tool delete_account"]
    assert (here["service"], there["service"]) == ("gateway", "tools")
    assert (here["attributes"]["specspan.scope.trust"], there["attributes"]["specspan.scope.trust"]) == (
        "local",
        "verified",
    )
    digest = "specspan.scope.digest"
    assert here["attributes"][digest] == there["attributes"][digest]
    decision = specspan(tmp_path, "decisions", "show", there["attributes"]["specspan.decision.id"])
    assert "custom execute_tool delete_account" in decision
    assert f"verified {there['attributes'][digest]}" in decision


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a tool service that believes one key; it ends with its standard input."""
    running = subprocess.Popen(
        [sys.executable, EXAMPLE / "tool_service.py"],
        cwd=tmp_path_factory.mktemp("service"),
        env={**os.environ, "SPECSPAN_SCOPE_KEY": f"k:{SECRET}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    with running, running.stdout:
        yield int(running.stdout.readline())
        running.stdin.close()
        assert running.wait(PATIENCE_S) == 0


def asked(port: int, baggage: str | None) -> str:
    """What the service answers to a search."""
    headers = {} if baggage is None else {"baggage": baggage}
    call = Request(f"http://127.0.0.1:{port}/search_orders", b'{"customer": "ann"}', headers)
    try:
        with urlopen(call, timeout=PATIENCE_S) as answer:
            return str(json.load(answer)["text"])
    except HTTPError as refused:
        return str(json.load(refused)["text"])


def entry(text: str) -> str:
    return f"specspan.scope={text}"


NOW_S = time.time()


@pytest.mark.parametrize(
    ("baggage", "answer"),
    [
        (entry(token(SEARCH, OURS, NOW_S)), "ann has order A-1."),
        (f"tenant=acme,{entry(token(SEARCH, OURS, NOW_S))}", "ann has order A-1."),
        (None, "search_orders: scope_missing"),
        (entry("A" * 9000), "search_orders: scope_missing"),
        (entry("garbage"), "search_orders: scope_untrusted"),
        (entry(token(SEARCH, Keys(), NOW_S)), "search_orders: scope_untrusted"),
        (entry(token(SEARCH, Keys("k", {"k": b"another secret..."}), NOW_S)), "search_orders: scope_untrusted"),
        (entry(token(SEARCH, OURS, NOW_S)[:-1]), "search_orders: scope_untrusted"),
        (entry(token(SEARCH, OURS, NOW_S - 7200)), "search_orders: scope_expired"),
        (
            f"{entry(token(SEARCH, OURS, NOW_S))},{entry(token(ScopeOfAutonomy(), Keys(), NOW_S))}",
            "search_orders: scope_untrusted",
        ),
        (entry(token(ScopeOfAutonomy(("delete_account",)), OURS, NOW_S)), "search_orders: tool_out_of_scope"),
    ],
    ids=[
        "signed",
        "among others",
        "none",
        "oversized",
        "garbage",
        "unsigned",
        "forged",
        "truncated",
        "replayed",
        "a forged one behind",
        "another scope",
    ],
)
def test_only_what_can_be_believed_is_acted_on(service: int, baggage: str | None, answer: str) -> None:
    """A service that requires a scope runs nothing for whoever makes one up."""
    assert asked(service, baggage) == answer
