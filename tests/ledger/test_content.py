"""Content beside the chain: encrypted, redacted first, erased for good by the destruction of one key."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from ledgers import ENVIRONMENT, KEY, open_in, records
from recording import COMPLETED, decision

from specspan.call import CallContext, Message, ModelCall, Request, Response, Text
from specspan.cli.main import cli
from specspan.ledger.audit import audit
from specspan.ledger.content_store import CONTENT, ContentStore
from specspan.record.call_end import Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

Losses = Callable[[], dict[tuple[str, str], int]]


def ask(recorder: Recorder, number: int, user: str | None, text: str) -> None:
    """Record a call of a user that says a text, and is answered by it."""
    context = CallContext(user=user)
    request = Request("test", model="m", input=(Message("user", (Text(text),)),))
    call = ModelCall(request, Response(output=(Message("assistant", (Text(text),)),)), context)
    span = recorder.start_call(request, context)
    recorder.end_call(span, call, decision(id=f"d-{number}"), COMPLETED, Timing(0.1))


def record(folder: Path, redact: Callable[[str], str] | None = None) -> None:
    """Record calls of two users, whose content is kept, and one of nobody."""
    recorder = Recorder(Settings(), ledger=open_in(folder, keeps_content=True, redact=redact))
    for number, (user, text) in enumerate((("ann", "secret of ann"), ("bob", "secret of bob"), (None, "secret"))):
        ask(recorder, number, user, text)
    assert recorder.force_flush(30.0)
    recorder.shutdown()


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of a command about the ledger."""
    ran = CliRunner(env=ENVIRONMENT).invoke(cli, ["ledger", arguments[0], "--ledger", str(folder), *arguments[1:]])
    return ran.exit_code, ran.output + (str(ran.exception) if ran.exception else "")


def all_bytes(folder: Path) -> bytes:
    """Return what is in every file of a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_is_kept_by_default(tmp_path: Path) -> None:
    """Without the switch there is no folder of content, and nothing of it in any file."""
    recorder = Recorder(Settings(), ledger=open_in(tmp_path))
    ask(recorder, 1, "ann", "secret")
    recorder.shutdown()
    assert not (tmp_path / CONTENT).exists()
    assert b"secret" not in all_bytes(tmp_path)


def test_what_is_kept_is_read_with_its_key_alone(tmp_path: Path) -> None:
    """Files are private and hold neither a text nor a user's id; the command prints prompt and answer."""
    record(tmp_path)
    assert b"secret" not in all_bytes(tmp_path)
    assert b"ann" not in all_bytes(tmp_path / CONTENT)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / CONTENT).rglob("*") if path.is_file()} == {0o600}
    code, output = run(tmp_path, "content", "d-0")
    assert code == 0
    assert json.loads(output)["gen_ai.input.messages"][0]["parts"][0]["content"] == "secret of ann"


def test_erasing_a_subject_leaves_the_chain_and_the_others(tmp_path: Path) -> None:
    """The content of one user is gone for good; `verify` passes, and a record without the name says what was done."""
    record(tmp_path)
    (name,) = [ContentStore(tmp_path).subject_name("ann")]
    code, output = run(tmp_path, "erase", "ann")
    assert (code, name in output) == (0, True)
    assert run(tmp_path, "content", "d-0")[0] != 0
    assert json.loads(run(tmp_path, "content", "d-1")[1])
    assert audit(tmp_path, (KEY.public_key,)).fault is None
    (erasure,) = [each.body for each in records(tmp_path) if each.type == "erasure"]
    assert erasure["subject"] == name
    assert b'"ann"' not in all_bytes(tmp_path)
    assert run(tmp_path, "erase", "ann")[0] != 0
    assert not (tmp_path / CONTENT / "keys" / name).exists()
    store = ContentStore(tmp_path)
    store.keep("ann", "d-9", {"later": "text"})  # under a new key
    assert store.read("d-9") == {"later": "text"}
    with pytest.raises(ValueError, match="was changed, or its key was"):
        store.read("d-0")


def test_content_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    """A changed byte, or the content of another decision in its place, is found."""
    record(tmp_path)
    (path,) = (tmp_path / CONTENT / "sealed").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"id":"d-1"', b'"id":"d-0"'))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    code, output = run(tmp_path, "content", "d-0")
    assert (code != 0, "was changed" in output) == (True, True)


def test_a_redactor_comes_first(tmp_path: Path) -> None:
    """What it takes out is in no file, encrypted or not."""
    record(tmp_path, lambda text: text.replace("secret", "[gone]"))
    content = json.loads(run(tmp_path, "content", "d-0")[1])
    assert content["gen_ai.output.messages"][0]["parts"][0]["content"] == "[gone] of ann"


@pytest.mark.parametrize("redact", [lambda text: text / 0, lambda text: None])
def test_a_redactor_that_fails_keeps_the_record_and_not_the_content(
    tmp_path: Path, redact: Callable[[str], str], losses: Losses, caplog: pytest.LogCaptureFixture
) -> None:
    """Each call whose content is not kept is counted; the log, told once, quotes nothing."""
    record(tmp_path, redact)
    assert losses() == {("ledger_content", "unredacted"): 3}
    assert len([each for each in records(tmp_path) if each.type == "decision"]) == 3
    assert not (tmp_path / CONTENT).exists()
    assert [each.getMessage() for each in caplog.records if "redactor" in each.getMessage()][1:] == []
    assert "secret" not in caplog.text


def test_a_disk_that_fails_loses_content_and_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: Losses
) -> None:
    """It is counted by the reason of the system."""

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(ContentStore, "_append", full)
    record(tmp_path)
    assert losses() == {("ledger_content", "disk_full"): 3}


def test_old_content_expires(tmp_path: Path) -> None:
    """Files that were last written before a time are removed, but for the one that is being written."""
    record(tmp_path)
    (path,) = (tmp_path / CONTENT / "sealed").iterdir()
    ContentStore(tmp_path).expire(time.time() - 60)
    assert path.exists()
    os.utime(path, (1, 1))
    ContentStore(tmp_path).expire(time.time() - 60)
    assert not path.exists()
