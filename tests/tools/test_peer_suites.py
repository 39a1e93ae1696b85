"""The comparison of other people's test suites, with and without specspan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tools.peer_suites import __main__, described, page  # noqa: E402
from tools.peer_suites.comparison import Difference, Row, compare, load_differences  # noqa: E402
from tools.peer_suites.environment import _pins  # noqa: E402
from tools.peer_suites.loopback import loopback_server  # noqa: E402
from tools.peer_suites.run import Run  # noqa: E402
from tools.peer_suites.suite import NotToBeHadError, Suite, load_suites  # noqa: E402

WITHOUT = Run({"a": "passed", "b": "passed", "c": "failed", "d": "passed", "e": "skipped"})


def compared(statuses: dict[str, str], *differences: Difference, spans: int = 1, failures: int = 0) -> Row:
    instrumented = Run(statuses, spans, {"somewhere": failures} if failures else {})
    return compare("suite", "1.0", "observing", WITHOUT, instrumented, differences)


def test_worse_is_what_passes_without_only() -> None:
    """A test that fails, is skipped or does not run at all is worse; one that fails without does not count."""
    row = compared({"a": "passed", "b": "failed", "c": "failed", "d": "skipped"})
    assert (row.worse, row.better, row.is_good) == (("b", "d"), 0, False)
    assert compared({"a": "passed"}).worse == ("b", "d")
    assert compared(dict.fromkeys("abcd", "passed")).better == 1


def test_a_meant_difference_is_counted_apart() -> None:
    """It holds for its suite, and for the modes that it names."""
    statuses = {"a": "passed", "b": "failed", "d": "passed"}
    meant = compared(statuses, Difference("suite", "[bx]", "why"))
    assert (meant.worse, meant.meant, meant.is_good) == ((), ("b",), True)
    assert compared(statuses, Difference("suite", "b", "why", ("timed",))).worse == ("b",)
    assert compared(statuses, Difference("other", "b", "why")).worse == ("b",)


@pytest.mark.parametrize(("spans", "failures"), [(0, 0), (1, 1)])
def test_a_run_that_met_no_call_or_failed_inside_is_not_good(spans: int, failures: int) -> None:
    """Nothing worse is no proof where specspan was not at work."""
    row = compared(dict.fromkeys("abcd", "passed"), spans=spans, failures=failures)
    assert (row.worse, row.is_good) == ((), False)


def test_the_page_keeps_the_rows_of_suites_that_were_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One suite is run again: its rows and names are new, those of the other as they were."""
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(f"before\n{page.BEGIN}{page.END}after\n", encoding="utf-8")
    first, second = (Row(name, "1.0", "timed", 3, (f"test_{name}",), (), 0, 5, 0) for name in ("first", "second"))
    page.write_page([second], (), ["first", "second"])
    page.write_page([first], (), ["first", "second"])
    part = Row("second", "1.1 (part)", "timed", 3, ("test_part",), (), 0, 5, 0)
    page.write_page([part], (), ["first", "second"])
    mended = Row("second", "1.1", "timed", 3, (), (), 0, 5, 0)
    page.write_page([mended], [Difference("first", "test_x", "why")], ["first", "second"])

    text = page.PAGE.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count("| first 1.0 | timed | 3 | 1 |") == 1
    assert text.index("| first 1.0 |") < text.index("| second 1.1 | timed | 3 | 0 |")
    assert "second 1.0" not in text
    assert "(part)" not in text
    assert "test_first" in text
    assert "test_second" not in text
    assert "- meant in first, every mode: `test_x`: why" in text


def test_the_page_keeps_the_modes_that_were_not_run_and_the_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run of one mode, on a part of the suite, takes nothing away but what it says anew."""
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(f"{page.BEGIN}{page.END}", encoding="utf-8")
    whole = [
        Row("it", "1.0", mode, 3, (f"in_{mode}",), (), 0, spans, 0, commit="aaaaaaa")
        for mode, spans in (("observing", 5), ("timed", 0))
    ]
    page.write_page(whole, (), ["it"])
    page.write_page([Row("it", "1.0 (part)", "observing", 2, (), (), 0, 5, 0, commit="bbbbbbb")], (), ["it"])
    page.write_page([Row("it", "1.0", "timed", 3, (), (), 0, 5, 0, commit="ccccccc")], (), ["it"])

    assert page.PAGE.read_text(encoding="utf-8").splitlines()[3:-1] == [
        "| it 1.0 | observing | 3 | 1 | 0 | 0 | 5 | 0 | aaaaaaa |",
        "| it 1.0 (part) | observing | 2 | 0 | 0 | 0 | 5 | 0 | bbbbbbb |",
        "| it 1.0 | timed | 3 | 0 | 0 | 0 | 5 | 0 | ccccccc |",
        "",
        "- worse in it 1.0, observing: `in_observing`",
    ]


def test_the_authors_lock_file_pins_what_their_tests_import(tmp_path: Path) -> None:
    """Only packages of a registry, and none that is locked in several versions."""
    package = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ {} = "x" }}\n\n'
    locked = [
        ("one", "1.0", "registry"),
        ("two", "1.0", "registry"),
        ("two", "2.0", "registry"),
        ("own", "3", "editable"),
    ]
    (tmp_path / "uv.lock").write_text("".join(package.format(*each) for each in locked), encoding="utf-8")
    assert list(_pins(tmp_path)) == [("one", "1.0")]


def test_the_suites_and_differences_can_be_read() -> None:
    """Every suite has what a run needs; every difference is about one of them."""
    suites = {suite.name: suite for suite in load_suites()}
    assert all(suite.version and "pytest" in suite.requires and suite.arguments for suite in suites.values())
    assert {each.suite for each in load_differences()} <= suites.keys()
    with pytest.raises(SystemExit, match="unknown suite 'nowhere'"):
        load_suites(["nowhere"])


def test_the_server_answers_what_is_instrumented_and_refuses_the_rest() -> None:
    """Plain, or as a stream of events where that is asked for."""
    with loopback_server() as base_url:

        def post(path: str, body: object) -> bytes:
            request = urllib.request.Request(base_url + path, json.dumps(body).encode(), {"Content-Type": "x"})
            with urllib.request.urlopen(request) as response:
                content: bytes = response.read()
                return content

        assert json.loads(post("/openai/v1/chat/completions", {}))["object"] == "chat.completion"
        assert post("/v1/messages?beta=true", {"stream": True}).startswith(b"event: message_start\n")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            post("/v1/files", {})


@pytest.mark.thorough
def test_the_plug_ins_write_down_outcomes_and_counts(tmp_path: Path) -> None:
    """Of a suite whose tests pass, fail, are skipped, make a span and ask the network."""
    (tmp_path / "test_it.py").write_text(
        "import socket, pytest, specspan\n"
        "def test_passes():\n    with specspan.agent('a'):\n        pass\n"
        "def test_fails():\n    assert False\n"
        "@pytest.mark.skip\ndef test_skipped():\n    pass\n"
        "def test_network():\n"
        "    with pytest.raises(OSError, match='no network'):\n        socket.create_connection(('192.0.2.1', 80))\n",
        encoding="utf-8",
    )
    tool = ROOT / "tools" / "peer_suites"
    files = {"PEER_OUTCOMES": str(tmp_path / "outcomes"), "PEER_RECORDED": str(tmp_path / "recorded")}
    policy = {"PEER_POLICY": str(tool / "timed.yaml"), "PEER_POLICY_MODE": "enforce"}
    path = os.pathsep.join((str(tool / "plugins"), os.environ.get("PYTHONPATH", "")))
    command = [sys.executable, "-m", "pytest", "-p", "instrumentation", "-p", "outcomes", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, "test_it.py"], cwd=tmp_path, env={**os.environ, **files, **policy, "PYTHONPATH": path}, check=False
    )

    outcomes = json.loads((tmp_path / "outcomes").read_text(encoding="utf-8"))
    assert outcomes == {
        "test_it.py::test_passes": "passed",
        "test_it.py::test_fails": "failed",
        "test_it.py::test_skipped": "skipped",
        "test_it.py::test_network": "passed",
    }
    assert json.loads((tmp_path / "recorded").read_text(encoding="utf-8"))["spans"] == 1


def test_what_the_registry_does_not_give_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where that was asked for; elsewhere it ends the command."""

    def refuse(suite: Suite) -> None:
        raise NotToBeHadError("the registry does not give groq==1.7.0")

    monkeypatch.setattr(__main__, "make_environment", refuse)
    assert __main__.main(["--available", "--quick", "groq"]) == 0
    assert "groq left out: the registry does not give groq==1.7.0" in capsys.readouterr().out
    with pytest.raises(NotToBeHadError):
        __main__.main(["groq"])


def test_tests_of_one_suite_can_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """They are run in every mode, and the row says that it is of a part; of several suites they are refused."""
    asked: list[tuple[str, tuple[str, ...]]] = []

    def run(suite: Suite, mode: str, arguments: tuple[str, ...], base_url: str) -> Run:
        asked.append((mode, arguments))
        return Run({"tests/a.py::test": "passed"}, spans=1)

    monkeypatch.setattr(__main__, "make_environment", lambda suite: None)
    monkeypatch.setattr(__main__, "run_suite", run)
    assert __main__.main(["groq", "--mode", "observing", "--tests", "tests/a.py", "tests/b.py"]) == 0
    assert asked == [("without", ("tests/a.py", "tests/b.py")), ("observing", ("tests/a.py", "tests/b.py"))]
    assert "1.7.0 (part) | observing" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        __main__.main(["groq", "ollama", "--tests", "tests/a.py"])


@pytest.mark.parametrize("program", [None, "#!/bin/sh\nexit 1\n"], ids=["no npm", "it ends at once"])
def test_our_server_stands_in_for_one_that_cannot_be_had(
    program: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says so."""
    monkeypatch.setattr(described, "CACHE", tmp_path)
    monkeypatch.setattr(described, "_description", Path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    if program is not None:
        steady = tmp_path / "steady"
        steady.write_text(program, encoding="utf-8")
        steady.chmod(0o755)
        monkeypatch.setattr(described, "_steady", lambda: steady)
    monkeypatch.setattr(Suite, "folder", tmp_path)
    (openai,) = load_suites(["openai"])
    with __main__._server(openai, "ours", is_quick=False) as address:
        assert address == "ours"
    assert "openai: our own server stands in for its description: " in capsys.readouterr().err
    with __main__._server(openai, "ours", is_quick=True):
        assert capsys.readouterr().err == ""
