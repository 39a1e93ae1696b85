"""`examples/services`: three processes, a queue and one trace; and what its tool service believes."""

from __future__ import annotations

import fcntl
import importlib.util
import ipaddress
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from backends import eventually, fetch, program
from jaeger_server import Jaeger
from process_trees import listening, marked

from documents import ROOT
from specspan.instrument.scope_propagation import ScopeKeys, encode_token
from specspan.scope.scope import ScopeOfAutonomy
from specspan.sqlite import Reader
from specspan.testing import Prompt, Reply, ScriptedModel

EXAMPLE = ROOT / "examples" / "services"
PATIENCE_S = 60
MARK = "SPECSPAN_EXAMPLE_RUN"
SECRET = "a secret of two services"
OURS = ScopeKeys("k", {"k": SECRET.encode()})
SEARCH = ScopeOfAutonomy(("find_order",))
FOUND = "A-1 is a harbour lamp, 80 EUR, on its way since Tuesday."
DECIDED = [
    ("gateway", "chat", "complied", "allow", None),
    ("agent", "chat", "unassessed", "allow", "nothing_applied"),
    ("tools", "execute_tool", "complied", "allow", None),
    ("agent", "chat", "unassessed", "allow", "nothing_applied"),
    ("tools", "execute_tool", "violated", "block", "argument_over_limit"),
    ("agent", "chat", "unassessed", "allow", "nothing_applied"),
    ("tools", "execute_tool", "complied", "allow", None),
    ("agent", "chat", "violated", "block", "card_number"),
]
"""Service, operation, verdict, action and reason of each decision, in the order they were made."""

Script = Callable[[Prompt], Reply | str]


def example_script() -> Script:
    """What the example's own model says."""
    found = importlib.util.spec_from_file_location("scripted_example", EXAMPLE / "scripted.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    script: Script = module.script
    return script


class Run:
    """The example, run as a user runs it; every process that comes of it is marked."""

    def __init__(self, folder: Path, *arguments: str, model: ScriptedModel | None = None, cached: bool = False) -> None:
        self.mark = uuid.uuid4().hex
        self.db = folder / "specspan.db"
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
        variables |= {MARK: self.mark, "COLUMNS": "160", "SPECSPAN_DB": str(self.db), "TMPDIR": str(folder)}
        if model is not None:
            variables |= {"OPENAI_API_KEY": model.api_key, "OPENAI_BASE_URL": model.base_url}
        if not cached:
            variables |= {"XDG_CACHE_HOME": str(folder / "empty"), "PATH": str(folder / "empty")}
        variables.pop("SPECSPAN_SCOPE_KEY", None)
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLE / "run.py", *arguments],
            cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def lines(self, until: str | None = None) -> list[str]:
        """What it prints, until a line holds that or it ends."""
        assert self.process.stdout is not None
        printed: list[str] = []
        for line in self.process.stdout:
            printed.append(line.rstrip("\n"))
            if until is not None and until in line:
                break
        return printed

    def pid(self, program: str) -> int:
        """Of the process that runs this file."""
        return next(pid for pid, command in marked(MARK, self.mark).items() if program in command)

    def ended(self) -> int:
        """Its exit code, once nothing that it started is left."""
        code = self.process.wait(PATIENCE_S)
        eventually(lambda: not marked(MARK, self.mark), 15, "every process to end")
        return code


@contextmanager
def running(folder: Path, *arguments: str, model: ScriptedModel | None = None, cached: bool = False) -> Iterator[Run]:
    """The example while it runs; whatever a failing test leaves of it is ended."""
    run = Run(folder, *arguments, model=model, cached=cached)
    overdue = threading.Timer(2 * PATIENCE_S, run.process.kill)  # who reads what it prints waits for its end
    overdue.daemon = True
    overdue.start()
    try:
        yield run
    finally:
        overdue.cancel()
        for pid in marked(MARK, run.mark):
            os.kill(pid, signal.SIGKILL)
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()


def decided(db: Path) -> list[tuple[Any, ...]]:
    """What SQLite holds, in the form of `DECIDED`; a record that gives no reason has none."""
    with closing(sqlite3.connect(db)) as connection:
        records = [json.loads(text) for (text,) in connection.execute("SELECT record FROM decision")]
    records.sort(key=lambda record: record["time_unix_nano"])
    return [
        (each["service"]["name"], each["call"]["operation"], each["verdict"], each["action"], each.get("reason"))
        for each in records
    ]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run with every backend that is here, seen from outside; parallel workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "services"
    folder.mkdir(exist_ok=True)
    told = folder / "told.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(seen_from_outside(folder)), encoding="utf-8")
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return found


def seen_from_outside(folder: Path) -> dict[str, Any]:
    """Run it with ``--keep``, ask its backends while they are up, end it as Ctrl-C does."""
    listens: dict[str, list[str]] = {}
    answer = example_script()

    def script(prompt: Prompt) -> Reply | str:
        if len(prompt.tool_results) == 3:  # the last call: everything is up
            found = listening(marked(MARK, run.mark))
            listens.update({name: sorted(addresses) for name, addresses in found.items()})
        return answer(prompt)

    with ScriptedModel(script) as model, running(folder, "--keep", model=model, cached=True) as run:
        lines = run.lines(until="The backends stay until Ctrl-C.")
        trace_id = said(lines, "trace")
        held = {name: ask(said(lines, name), trace_id) for name, ask in ASKED.items() if "http" in said(lines, name)}
        run.process.send_signal(signal.SIGINT)
        lines += run.lines()
        code = run.ended()
    return {"lines": lines, "trace_id": trace_id, "held": held, "listens": listens, "code": code, "db": str(run.db)}


def said(lines: list[str], name: str) -> str:
    """The first word after a name at the beginning of a line."""
    return next(line.split()[1] for line in lines if line.startswith(f"{name} "))


def jaeger_holds(address: str, trace_id: str) -> Any:
    """Of each span: its id, its parent's, its name, service and verdict."""
    return sorted(
        [
            span["spanId"],
            span.get("parentSpanId") or None,
            span["name"],
            attributes(span["resource"])["service.name"],
            attributes(span).get("specspan.decision.verdict"),
        ]
        for span in Jaeger(address, "", "").spans(trace_id)
    )


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """Those that are strings, in the form of OTLP as JSON."""
    return {each["key"]: each["value"].get("stringValue") for each in of.get("attributes", [])}


def prometheus_holds(address: str, _trace_id: str) -> Any:
    """How many decisions of each verdict each service counted."""
    query = urlencode({"query": "last_over_time(specspan_decisions_total[1h])"})
    found = json.loads(fetch(f"{address}/api/v1/query?{query}"))["data"]["result"]
    return sorted(
        [each["metric"]["job"], each["metric"]["specspan_decision_verdict"], int(each["value"][1])] for each in found
    )


def alertmanager_holds(address: str, trace_id: str) -> Any:
    """The clauses that alerts about this trace name, by service."""
    found = json.loads(fetch(f"{address}/api/v2/alerts"))
    return sorted(
        [each["labels"]["service"], each["labels"]["clause"]]
        for each in found
        if each["annotations"]["trace_id"] == trace_id
    )


ASKED = {"Jaeger": jaeger_holds, "Prometheus": prometheus_holds, "Alertmanager": alertmanager_holds}


def held(ran: Mapping[str, Any], name: str) -> Any:
    """What a backend held; a skip, or a failure where it is required, when it was not there."""
    if name not in ran["held"]:
        program(name.lower())  # skips or fails, and says so
    return ran["held"][name]


def test_one_trace_shows_the_decisions_of_all_services(ran: dict[str, Any]) -> None:
    """Gateway, agent and tool service each decided as expected, all in one trace."""
    assert ran["code"] == 0, "\n".join(ran["lines"])
    db = Path(ran["db"])
    assert decided(db) == DECIDED
    with Reader(db) as reader:
        assert [trace.trace_id for trace in reader.traces()] == [ran["trace_id"]]
        assert {each["trace_id"] for each in reader.decisions()} == {ran["trace_id"]}
        spans = {span.span_id: span for span in reader.spans(ran["trace_id"])}
    assert [span.name for span in spans.values() if span.parent_span_id not in spans] == [
        "invoke_workflow customer question"
    ]
    assert {span.service for span in spans.values()} == {"gateway", "agent", "tools"}


def test_messages_are_spans_as_the_conventions_say(ran: dict[str, Any]) -> None:
    """A message's processing is linked to its sending, and below it where the consumer did nothing else."""
    with Reader(Path(ran["db"])) as reader:
        spans = {span.name: span for span in reader.spans(ran["trace_id"])}
    for queue, sender, consumer in (("questions", "gateway", "agent"), ("answers", "agent", "gateway")):
        sent, processed = spans[f"send {queue}"], spans[f"process {queue}"]
        assert (sent.kind, sent.service, processed.kind, processed.service) == (
            "PRODUCER",
            sender,
            "CONSUMER",
            consumer,
        )
        assert [link["span_id"] for link in processed.links] == [sent.span_id]
        message = {key: sent.attributes[key] for key in ("messaging.destination.name", "messaging.message.id")}
        assert message.items() <= processed.attributes.items()
    assert spans["process questions"].parent_span_id == spans["send questions"].span_id
    assert spans["process answers"].parent_span_id == spans["invoke_workflow customer question"].span_id


def test_the_scope_travels_by_the_queue_to_the_tools(ran: dict[str, Any]) -> None:
    """What the gateway declared is what the agent worked within and the tool service kept, by its signature."""
    with Reader(Path(ran["db"])) as reader:
        spans = {span.name: span.attributes for span in reader.spans(ran["trace_id"])}
    names = ("invoke_workflow customer question", "invoke_agent refund desk", "execute_tool issue_refund")
    assert [spans[name]["specspan.scope.trust"] for name in names] == ["local", "verified", "verified"]
    assert len({spans[name]["specspan.scope.digest"] for name in names}) == 1


def test_the_trace_is_printed_with_what_to_look_at_next(ran: dict[str, Any]) -> None:
    """As `specspan traces show` prints it, each service named; then the commands, which name the file."""
    printed = "\n".join(ran["lines"])
    assert "heard        I may not say that (keep_cards_private)." in printed
    assert "agent, gateway, tools" in printed
    assert "governed by scope_of_autonomy (argument_over_limit)" in printed
    assert "governed by keep_cards_private (card_number)" in printed
    assert f"specspan traces show {ran['trace_id']} --db {ran['db']}" in printed
    assert "Traceback" not in printed


def test_jaeger_holds_the_same_trace(ran: dict[str, Any]) -> None:
    """Every span with its parent, service and verdict, equal to SQLite's; the link printed leads there."""
    told = held(ran, "Jaeger")
    with Reader(Path(ran["db"])) as reader:
        spans = reader.spans(ran["trace_id"])
    verdict = "specspan.decision.verdict"
    assert told == sorted(
        [span.span_id, span.parent_span_id, span.name, span.service, span.attributes.get(verdict)] for span in spans
    )
    assert f"{said(ran['lines'], 'Jaeger')}/trace/{ran['trace_id']}?uiFind=" in "\n".join(ran["lines"])


def test_a_collector_before_jaeger_keeps_the_trace(ran: dict[str, Any]) -> None:
    """Where one is here, spans go through its tail sampling, which keeps one ordinary trace in a hundred."""
    if not ("Jaeger" in ran["held"] and any(line.startswith("Collector    http") for line in ran["lines"])):
        program("jaeger")  # skips or fails, and says so
        program("otelcol", "collector")
    with Reader(Path(ran["db"])) as reader:
        count = len(reader.spans(ran["trace_id"]))
    assert f"Collector    kept the trace whole: all {count} spans passed on" in ran["lines"]


def test_prometheus_counts_the_same_decisions(ran: dict[str, Any]) -> None:
    """By service and verdict."""
    counts = Counter((service, verdict) for service, _, verdict, _, _ in DECIDED)
    assert held(ran, "Prometheus") == sorted([*key, count] for key, count in counts.items())


def test_alertmanager_is_told_of_each_violation(ran: dict[str, Any]) -> None:
    """By the services themselves, each alert with the trace's id."""
    assert held(ran, "Alertmanager") == [["agent", "keep_cards_private"], ["tools", "scope_of_autonomy"]]


def test_everything_listens_on_loopback_alone(ran: dict[str, Any]) -> None:
    """Whatever was started, while all of it was up."""
    listens = ran["listens"]
    assert {"run.py", "gateway.py", "agent.py", "tool_service.py"} <= listens.keys()
    assert listens["tool_service.py"]
    addresses = {address for each in listens.values() for address in each}
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses), listens


@pytest.mark.thorough
def test_without_backends_it_says_how_to_have_them(tmp_path: Path) -> None:
    """The trace is in SQLite, by a model of its own; each absent backend has a line that says what to do."""
    with running(tmp_path) as run:
        lines = run.lines()
        assert run.ended() == 0, "\n".join(lines)
    assert [line for line in lines if "not here" in line] == [
        f"{name:<13}not here; to have it: make backends"
        for name in ("Jaeger", "Collector", "Prometheus", "Alertmanager")
    ]
    assert decided(run.db) == DECIDED
    assert "http" not in "\n".join(lines)


@pytest.mark.thorough
def test_a_lost_agent_ends_the_rest_and_is_accounted_for(tmp_path: Path) -> None:
    """What was decided before the kill is stored; the call that was cut off is a message taken and never done."""
    answer = example_script()

    def script(prompt: Prompt) -> Reply | str:
        if len(prompt.tool_results) == 1:
            eventually(lambda: len(decided(run.db)) == 3, PATIENCE_S, "what was decided until now to be stored")
            os.kill(run.pid("agent.py"), signal.SIGKILL)
        return answer(prompt)

    with ScriptedModel(script) as model, running(tmp_path, model=model) as run:
        lines = run.lines()
        assert run.ended() == 1
    assert decided(run.db) == DECIDED[:3]
    assert len(model.requests) == 3  # two of them decided
    assert "stopped      agent was ended by SIGKILL, so everything else was ended, too" in lines
    (unfinished,) = (line for line in lines if line.startswith("unfinished"))
    assert re.fullmatch(r"unfinished   message m-\w+ in 'questions': taken", unfinished)
    with Reader(run.db) as reader:
        (trace,) = reader.traces()
        names = {span.name for span in reader.spans(trace.trace_id)}
    assert {"invoke_workflow customer question", "send questions", "execute_tool find_order"} <= names
    assert "Traceback" not in "\n".join(lines)


def test_nothing_outlives_what_started_it(tmp_path: Path) -> None:
    """Killed with no chance to clean up, it leaves neither a service nor a server behind."""
    answer = example_script()

    def script(prompt: Prompt) -> Reply | str:
        if len(prompt.tool_results) == 2:
            left.update(marked(MARK, run.mark))
            run.process.kill()
        return answer(prompt)

    left: dict[int, str] = {}
    with ScriptedModel(script) as model, running(tmp_path, model=model, cached=True) as run:
        run.lines()
        assert run.ended() == -signal.SIGKILL
    assert len(left) >= 4


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
    call = Request(f"http://127.0.0.1:{port}/find_order", b'{"order": "A-1"}', headers)
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
        (entry(encode_token(SEARCH, OURS, NOW_S)), FOUND),
        (f"tenant=acme,{entry(encode_token(SEARCH, OURS, NOW_S))}", FOUND),
        (None, "find_order: scope_missing"),
        (entry("A" * 9000), "find_order: scope_missing"),
        (entry("garbage"), "find_order: scope_untrusted"),
        (entry(encode_token(SEARCH, ScopeKeys(), NOW_S)), "find_order: scope_untrusted"),
        (
            entry(encode_token(SEARCH, ScopeKeys("k", {"k": b"another secret..."}), NOW_S)),
            "find_order: scope_untrusted",
        ),
        (entry(encode_token(SEARCH, OURS, NOW_S)[:-1]), "find_order: scope_untrusted"),
        (entry(encode_token(SEARCH, OURS, NOW_S - 7200)), "find_order: scope_expired"),
        (
            f"{entry(encode_token(SEARCH, OURS, NOW_S))},{entry(encode_token(ScopeOfAutonomy(), ScopeKeys(), NOW_S))}",
            "find_order: scope_untrusted",
        ),
        (entry(encode_token(ScopeOfAutonomy(("delete_account",)), OURS, NOW_S)), "find_order: tool_out_of_scope"),
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
