"""`specspan traces`, as its user meets it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from interruptible import INTERRUPTIBLE_COMMAND
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter

Run = Callable[..., Any]


def test_traces_are_listed_newest_first(specspan: Run, recorded: Path) -> None:
    """When, which, what, whose, how long, how many spans, the worst verdict, the violated clauses."""
    ran = specspan("traces", "--db", recorded)

    heading, refund, greet = (line.split() for line in ran.out.splitlines())
    assert ran.code == 0
    assert heading == ["time", "trace", "name", "service", "took", "spans", "verdict", "violated"]
    assert refund[2:] == ["20000000", "refund", "support-desk", "1", "s", "1", "✘", "violated", "privacy"]
    assert greet[2:] == ["10000000", "greet", "support-desk", "1", "s", "1", "✔", "complied"]


@pytest.mark.parametrize(("columns", "clauses"), [("60", ["be_honest …"]), ("120", ["be_honest protect_privacy"])])
def test_a_narrow_terminal_tears_no_id_apart(
    specspan: Run, recorded: Path, decision: Any, finding: Any, monkeypatch: pytest.MonkeyPatch, *,
    columns: str, clauses: list[str],
) -> None:  # fmt: skip
    """Ids are whole; of several violated clauses as many are shown as fit, and an ellipsis for the rest."""
    violated = ("protect_privacy", "be_honest")
    late = decision("1", *(finding(clause, "violated") for clause in violated), trace_id="1" + "0" * 31)
    exporter = SQLiteDecisionExporter(recorded)
    exporter.export([{**late, "id": "another", "verdict": "violated"}])
    exporter.shutdown()
    with closing(sqlite3.connect(recorded)) as connection, connection:
        connection.execute("UPDATE span_row SET name = 'answer a customer of ours'")
    monkeypatch.setenv("COLUMNS", columns)

    lines = specspan("traces", "--db", recorded).out.splitlines()

    assert lines == [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= int(columns)
    assert [line.partition("violated  ")[2] for line in lines[1:]] == ["privacy", *clauses]
    assert {"20000000", "10000000"} <= set(" ".join(lines).split())


def test_list_is_what_traces_does_unasked(specspan: Run, recorded: Path) -> None:
    """`specspan traces` and `specspan traces list` are one."""
    assert specspan("traces", "list", "--db", recorded).out == specspan("traces", "--db", recorded).out


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--clause", "privacy"], ["refund"]),
        (["--clause", "honest", "--outcome", "complied"], ["greet"]),
        (["--outcome", "violated"], ["refund"]),
        (["--verdict", "complied"], ["greet"]),
        (["--since", "1970-01-01T00:00:02Z"], ["refund"]),
        (["--since", "1h"], []),
        (["--limit", "1"], ["refund"]),
        (["--service", "other"], []),
    ],
)
def test_filters_narrow_the_list(specspan: Run, recorded: Path, arguments: list[str], names: list[str]) -> None:
    """Each filter alone, in JSON."""
    ran = specspan("traces", "--db", recorded, "--json", *arguments)

    assert (ran.code, [trace["name"] for trace in json.loads(ran.out)]) == (0, names)


def test_nothing_that_matches_is_said_in_a_line(specspan: Run, recorded: Path) -> None:
    """An empty answer is an answer."""
    ran = specspan("traces", "--db", recorded, "--since", "1h")

    assert (ran.code, ran.out) == (0, "No traces match.\n")


def test_json_has_whole_ids_and_utc(specspan: Run, recorded: Path) -> None:
    """What a program needs: no shortened ids, no local times."""
    refund = json.loads(specspan("traces", "--db", recorded, "--json").out)[0]

    assert refund["trace_id"] == "2" + "0" * 31
    assert (refund["start"], refund["end"]) == ("1970-01-01T00:00:03.000000Z", "1970-01-01T00:00:04.000000Z")
    assert (refund["verdict"], refund["violated"]) == ("violated", ["privacy"])


def test_one_trace_is_a_tree(specspan: Run, recorded: Path) -> None:
    """By the start of its id: the spans, the decision, the clauses, those nobody looked at."""
    ran = specspan("traces", "show", "2", "--db", recorded)

    assert ran.code == 0
    assert "\x1b" not in ran.out
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert lines[1:] == [
        "└── refund  1 s",
        "    └── ✘ violated · flag, would block · observe · governed by privacy (ssn)",
        "        ✘ violated  privacy  developer  pattern privacy_check: ssn  /output/0/parts/0[1:5]",
        "        ? unassessed (1) humour",
    ]


def test_the_newest_trace_needs_no_id(specspan: Run, recorded: Path) -> None:
    """After a run, `specspan traces show` shows what just happened."""
    assert "refund" in specspan("traces", "show", "--db", recorded).out


def test_one_trace_as_json_is_whole(specspan: Run, recorded: Path) -> None:
    """Spans with their resource, decisions as they were recorded."""
    shown = json.loads(specspan("traces", "show", "2", "--db", recorded, "--json").out)

    assert shown["spans"][0]["resource"] == {"service.name": "support-desk"}
    assert shown["decisions"][0]["findings"][0]["clause"] == "privacy"


def test_an_id_must_find_one_trace(specspan: Run, recorded: Path) -> None:
    """Neither none nor several: one line each, exit code 2."""
    none, several = specspan("traces", "show", "3", "--db", recorded), specspan("traces", "show", "", "--db", recorded)

    assert (none.code, several.code) == (2, 2)
    assert "no trace begins with '3'; `specspan traces` lists them" in none.err
    assert "several traces begin with ''" in several.err


@pytest.mark.parametrize("command", [["traces"], ["traces", "show", "1"], ["decisions"], ["decisions", "show", "1"]])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file. Run `specspan demo`"),
        (b"", "nothing was ever recorded in it. Run `specspan demo`"),
        (b"no database" * 99, "file is not a database. Name another file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_2(
    specspan: Run, tmp_path: Path, command: list[str], content: bytes | None, problem: str
) -> None:
    """No traceback: the file, what is wrong, and what to do."""
    path = tmp_path / "some.db"
    if content is not None:
        path.write_bytes(content)

    ran = specspan(*command, "--db", path)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"specspan: {path}: {problem}")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", ["traces", "decisions"])
def test_a_file_with_nothing_of_the_kind_says_how_to_get_some(specspan: Run, tmp_path: Path, command: str) -> None:
    """A program that only started has recorded its policy, and no call."""
    path = tmp_path / "specspan.db"
    exporter = SQLiteDecisionExporter(path)
    exporter.export([{"v": 1, "type": "policy", "policy": {"digest": "sha256:p"}}])
    exporter.shutdown()

    ran = specspan(command, "--db", path)

    assert ran.code == 2
    assert f"{path}: no {command} in it yet. Run `specspan demo`" in ran.err


def test_a_record_that_was_tampered_with_is_one_line(specspan: Run, recorded: Path) -> None:
    """What is no JSON any more is said, not thrown."""
    connection = sqlite3.connect(recorded)
    connection.execute("UPDATE decision_row SET record = 'gone'")
    connection.commit()
    connection.close()

    ran = specspan("traces", "show", "2", "--db", recorded)

    assert ran.code == 2
    assert "holds an invalid JSON record" in ran.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--since", "yesterday"], "invalid time 'yesterday'. Write an age (15m, 2h, 7d)"),
        (["--outcome", "passed"], "'violated'"),
        (["--verdict", "fine"], "'uncertain'"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    specspan: Run, recorded: Path, arguments: list[str], problem: str
) -> None:
    """The message says what would have been understood."""
    ran = specspan("traces", "--db", recorded, *arguments)

    assert ran.code == 2
    assert problem in ran.err


def test_the_file_may_come_from_the_environment(specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SPECSPAN_DB` names the file for writing and for reading."""
    monkeypatch.setenv("SPECSPAN_DB", str(recorded))

    assert "refund" in specspan("traces").out


@pytest.mark.parametrize("command", ["traces", "decisions"])
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--clause", "privacyy"), "No clause 'privacyy' is in the file. Did you mean privacy?"),
        (("--service", "support"), "No service 'support' is in the file. Did you mean support-desk?"),
        (("--clause", "zzz\x1b[31m"), "No clause 'zzz\\x1b[31m' is in the file. It has "),
    ],
)
def test_a_name_that_nothing_has_is_told(
    specspan: Run, recorded: Path, command: str, arguments: tuple[str, str], hint: str
) -> None:
    """With the names it may be meant for; as JSON, the list on standard output is empty and the hint beside it."""
    ran = specspan(command, "--db", recorded, *arguments)
    assert ran.code == 0
    assert f"No {command} match.\n{hint}" in ran.out
    as_json = specspan(command, "--db", recorded, "--json", *arguments)
    assert json.loads(as_json.out) == []
    assert as_json.err.startswith(hint)


def test_a_name_that_something_has_needs_no_hint(specspan: Run, recorded: Path) -> None:
    """Then it is the conditions together that nothing meets."""
    ran = specspan("traces", "--db", recorded, "--clause", "privacy", "--service", "support-desk", "--outcome", "error")
    assert ran.out == "No traces match.\n"


def test_new_traces_are_followed(recorded: Path) -> None:
    """Those in the store first, then each new one, once, when all of it is there; SIGINT ends it."""
    command = [
        sys.executable,
        "-u",
        "-c",
        INTERRUPTIBLE_COMMAND,
        "traces",
        "--follow",
        "--limit",
        "1",
        "--json",
        "--db",
        str(recorded),
    ]
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(SQLiteSpanExporter(recorded)))
    tracer = provider.get_tracer("tests")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["name"] == "refund"
            for name in ("one", "two"):
                with tracer.start_as_current_span(name):
                    tracer.start_span("child").end()
                trace = json.loads(following.stdout.readline())
                assert (trace["name"], trace["spans"]) == (name, 2)
            following.send_signal(signal.SIGINT)
            assert following.stdout.read() == ""
            assert following.wait() == 130
        finally:
            following.kill()
            provider.shutdown()
