"""`specspan ledger`: its answers, exit codes and proofs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended, run_command
from ledgers import ENVIRONMENT, KEY, ROOT, decision, find_policy, last_segment, open_in, write

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.signed_note import Signer, parse_signer
from specspan.ledger.stream_files import stream_names

PUBLIC = str(KEY.public_key)
VERIFIER = ROOT / "docs" / "verify_proof.py"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of five decisions in one stream, which was ended."""
    folder = tmp_path / "ledger"
    write(folder, range(5))
    return folder


def run(folder: Path, *arguments: object, **variables: str) -> Ended:
    """Run a command on a ledger, with no key configured."""
    name, *rest = arguments
    return run_command("ledger", name, "--ledger", folder, *rest, **variables)


def as_json(ended: Ended) -> Any:
    """Return what a command printed."""
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def change(path: Path, old: bytes, new: bytes) -> None:
    """Change the first place in a file."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_a_whole_ledger(ledger: Path) -> None:
    """Exit code 0; without a checkpoint that others keep it is NOT ANCHORED, and without a key it is said whose."""
    ended = run(ledger, "verify")
    assert ended.returncode == 0
    assert "intact, ended  8 records, 5 decisions" in ended.stdout
    assert "attempted 5 = recorded 5 + dropped 0; intact" in ended.stdout
    assert "KEY NOT PINNED" in ended.stdout
    assert "NOT ANCHORED" in ended.stdout
    assert "KEY NOT PINNED" not in run(ledger, "verify", "--key", PUBLIC).stdout
    assert "KEY NOT PINNED" not in run(ledger, "verify", **ENVIRONMENT).stdout


def test_a_changed_record(ledger: Path) -> None:
    """Exit code 1, and the record is named with its place."""
    change(last_segment(ledger), b'"id":"d-2"', b'"id":"d-x"')
    ended = run(ledger, "verify")
    assert ended.returncode == 1
    assert "TAMPERED: record 4 was changed" in ended.stdout
    problem = json.loads(run(ledger, "verify", "--json").stdout)["streams"][0]["problem"]
    assert (problem["fault"], problem["seq"], problem["segment"]) == ("tampered", 4, 1)


def test_a_torn_end(ledger: Path) -> None:
    """Exit code 3."""
    path = last_segment(ledger)
    os.truncate(path, path.stat().st_size - 10)
    ended = run(ledger, "verify")
    assert ended.returncode == 3
    assert "TORN: the end is torn after record 7" in ended.stdout


def test_an_unknown_key(ledger: Path) -> None:
    """Exit code 4 where the key that is given is another, and the id of the one that signed is named."""
    ended = run(ledger, "verify", "--key", Signer.generate("test-ledger").public_key)
    assert ended.returncode == 4
    assert f"UNKNOWN KEY: checkpoint 1, after record 0, is signed by an unknown key: test-ledger+{PUBLIC[12:20]}" in (
        ended.stdout
    )


def test_misuse(tmp_path: Path) -> None:
    """Exit code 2 for a folder that holds no ledger, for what is no key, and for no folder."""
    assert "holds no ledger" in run(tmp_path, "verify").stderr
    assert run(tmp_path, "verify").returncode == 2
    assert "invalid public key" in run(tmp_path, "verify", "--key", "nonsense").stderr
    assert run_command("ledger", "verify").returncode == 2


def test_a_stream_in_quarantine(ledger: Path) -> None:
    """A stream that a start set aside is never intact again."""
    write(ledger, range(2))
    files.make_folder(ledger / files.QUARANTINE)
    name = stream_names(ledger)[0]
    (ledger / files.STREAMS / name).rename(ledger / files.QUARANTINE / name)
    ended = run(ledger, "verify")
    assert ended.returncode == 1
    assert f"{name}  TAMPERED: a start found it damaged" in ended.stdout


def test_a_stream_that_is_written_to_and_one_that_was_recovered(tmp_path: Path) -> None:
    """An open stream is intact and says what no checkpoint covers yet; a recovered one says what was dropped."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(1), find_policy)
    assert "intact, open, 2 records under no checkpoint yet" in run(tmp_path, "verify").stdout
    ledger._writer.after_fork()
    ended = run(tmp_path, "verify")
    assert (ended.returncode, "TORN: records 1 to 2 are under no checkpoint" in ended.stdout) == (3, True)
    open_in(tmp_path).shutdown(5.0)
    ended = run(tmp_path, "verify")
    assert ended.returncode == 0
    assert "intact, recovered: 0 bytes dropped, 2 records signed for afterwards" in ended.stdout


def test_a_rollback_is_found_with_an_anchor_and_not_without(tmp_path: Path) -> None:
    """A ledger put back to an older state, with everything that signs for it, is another only beside a checkpoint."""
    folder, older = tmp_path / "ledger", tmp_path / "older"
    ledger = open_in(folder, Durability.DURABLE)
    ledger.append(decision(1), find_policy)
    shutil.copytree(folder, older)
    ledger.append(decision(2), find_policy)
    anchor = tmp_path / "anchor"
    anchor.write_text(run(folder, "export", "--checkpoints").stdout)
    ledger.shutdown(5.0)
    ended = run(folder, "verify", "--against", anchor)
    assert (ended.returncode, "NOT ANCHORED" in ended.stdout) == (0, False)

    open_in(older).shutdown(5.0)  # signs for the older state
    ended = run(older, "verify")
    assert (ended.returncode, "NOT ANCHORED" in ended.stdout) == (0, True)
    ended = run(older, "verify", "--against", anchor)
    assert ended.returncode == 1
    assert "the first 4 records have another root than a checkpoint that is kept elsewhere" in ended.stdout

    shutil.rmtree(folder / files.STREAMS / stream_names(folder)[0])
    ended = run(folder, "verify", "--against", anchor)
    assert ended.returncode == 1
    assert "the stream is missing" in ended.stdout


def test_a_shorter_stream_than_a_checkpoint_that_is_kept(tmp_path: Path) -> None:
    """A stream that was cut and recovered is shorter than what somebody has a checkpoint of."""
    folder = tmp_path / "ledger"
    write(folder, range(30))
    anchor = tmp_path / "anchor"
    anchor.write_text(run(folder, "export", "--checkpoints").stdout)
    path = last_segment(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]))
    (folder / files.OPEN / stream_names(folder)[0]).touch()
    open_in(folder).shutdown(5.0)
    assert run(folder, "verify").returncode == 0
    ended = run(folder, "verify", "--against", anchor)
    assert ended.returncode == 1
    assert "a checkpoint of 33 is kept elsewhere" in ended.stdout


def test_an_anchor_of_another_key_is_misuse(ledger: Path, tmp_path: Path) -> None:
    """A checkpoint to compare with must itself be signed by a known key."""
    anchor = tmp_path / "anchor"
    anchor.write_text(run(ledger, "export", "--checkpoints").stdout)
    ended = run(ledger, "verify", "--against", anchor, "--key", Signer.generate("other").public_key)
    assert (ended.returncode, "signed by an unknown key" in ended.stderr) == (2, True)
    anchor.write_text("nonsense")
    assert "not valid" in run(ledger, "verify", "--against", anchor).stderr


def test_show(ledger: Path) -> None:
    """Streams with their accounts; one record by the start of its id, or by stream and number."""
    name = stream_names(ledger)[0]
    assert f"{name}  8 records, 5 decisions" in run(ledger, "show").stdout
    shown = as_json(run(ledger, "show", "--json"))
    assert (shown["attempted"], shown["recorded"], shown["dropped"]) == (5, 5, {})
    record = as_json(run(ledger, "show", "d-3"))
    assert (record["body"]["id"], record["seq"], record["stream"]) == ("d-3", 5, name)
    assert as_json(run(ledger, "show", f"{name}:0"))["type"] == "start"
    assert "unknown record" in run(ledger, "show", "x").stderr
    assert "several records" in run(ledger, "show", "d").stderr


def test_show_adds_up_losses_over_restarts(tmp_path: Path) -> None:
    """Attempted = recorded + dropped by reason, over all processes that wrote."""
    for cap in (3500, 7500):
        ledger = open_in(tmp_path, cap_bytes=cap)
        written = [ledger.append(decision(number), find_policy) for number in range(30)]
        assert not all(written)
        ledger.shutdown(5.0)
    shown = as_json(run(tmp_path, "show", "--json"))
    assert shown["attempted"] == 60 == shown["recorded"] + shown["dropped"]["disk_cap"]
    assert "attempted 60 = recorded" in run(tmp_path, "show").stdout


def verifier(*arguments: object) -> tuple[int, str]:
    """Run the separate verifier, where nothing of specspan can be imported."""
    command = [sys.executable, "-I", str(VERIFIER), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_separate_verifier_is_short_and_needs_nothing_of_ours() -> None:
    """At most 60 lines, and no import but of the standard library and `cryptography`."""
    text = VERIFIER.read_text()
    assert len(text.splitlines()) <= 60
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert modules - sys.stdlib_module_names == {"cryptography"}


def test_a_proof_of_inclusion_is_checked_with_the_key_alone(ledger: Path, tmp_path: Path) -> None:
    """A proof of each record holds; with another key, record or hash it does not."""
    proof = tmp_path / "proof.json"
    for number in range(5):
        proof.write_text(run(ledger, "prove", f"d-{number}").stdout)
        assert verifier(PUBLIC, proof)[0] == 0
    code, said = verifier(PUBLIC, proof)
    assert (code, said.startswith("OK: record 6 is one of the 8 of test-ledger/")) == (0, True)
    good = proof.read_text()
    assert verifier(Signer.generate("test-ledger").public_key, proof)[0] == 1
    proof.write_text(good.replace("d-4", "d-5"))
    assert verifier(PUBLIC, proof)[0] == 1
    proof.write_text(good.replace('"index": 6', '"index": 5'))
    assert verifier(PUBLIC, proof)[0] == 1
    given = json.loads(good)
    for changed in (given["proof"][:-1], [*given["proof"], "00" * 32], ["00" * 32, *given["proof"][1:]]):
        proof.write_text(json.dumps({**given, "proof": changed}))
        assert verifier(PUBLIC, proof)[0] == 1
    proof.write_text(good.replace("\\n8\\n", "\\n9\\n"))
    assert verifier(PUBLIC, proof)[0] == 1


def test_a_proof_of_consistency_is_checked_with_the_key_alone(tmp_path: Path) -> None:
    """Every older checkpoint is continued by the newest; a changed hash proves nothing."""
    folder, old, proof = tmp_path / "ledger", tmp_path / "old", tmp_path / "proof.json"
    ledger = open_in(folder, Durability.DURABLE)
    notes = []
    for number in range(10):
        ledger.append(decision(number), find_policy)
        notes.append(json.loads(run(folder, "export", "--checkpoints").stdout)["checkpoint"])
    for note in notes:
        old.write_text(note)
        proof.write_text(run(folder, "consistency", old).stdout)
        assert verifier(PUBLIC, proof)[0] == 0, note
    old.write_text(notes[4])
    proof.write_text(run(folder, "consistency", old).stdout)
    given = json.loads(proof.read_text())
    assert "the 12 records" in verifier(PUBLIC, proof)[1]
    for changed in (given["proof"][:-1], [*given["proof"], "00" * 32], ["00" * 32, *given["proof"][1:]]):
        proof.write_text(json.dumps({**given, "proof": changed}))
        assert verifier(PUBLIC, proof)[0] == 1
    ledger.shutdown(5.0)
    path = last_segment(folder)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    assert "does not continue this checkpoint" in run(folder, "consistency", old).stderr


def test_a_record_under_no_checkpoint_has_no_proof(tmp_path: Path) -> None:
    """Proofs are of what was signed for."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(1), find_policy)
    assert "no checkpoint covers the record" in run(tmp_path, "prove", "d-1").stderr
    ledger.shutdown(5.0)


def test_tail_and_export(ledger: Path) -> None:
    """The last decisions, or all records with their place in the chain, one a line."""
    lines = run(ledger, "tail", "-n", "2").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["d-3", "d-4"]
    exported = [json.loads(line) for line in run(ledger, "export").stdout.splitlines()]
    assert [each["type"] for each in exported] == ["policy", *["decision"] * 5]
    assert {each["stream"] for each in exported} == set(stream_names(ledger))


def test_tail_follows(ledger: Path) -> None:
    """With `--follow`, decisions are printed as they are written."""
    start = "from specspan.cli.start import main; main()"
    command = [sys.executable, "-c", start, "ledger", "tail", "-n", "1", "-f", "--ledger", str(ledger)]
    path = os.pathsep.join(each for each in sys.path if each)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        stop = threading.Timer(60, process.kill)
        stop.start()
        assert json.loads(process.stdout.readline())["id"] == "d-4"
        write(ledger, range(7, 8))
        assert json.loads(process.stdout.readline())["id"] == "d-7"
        stop.cancel()
        process.kill()


def test_keys(ledger: Path, tmp_path: Path) -> None:
    """A key is made in a private file, never in the place of another; public keys are listed."""
    path = tmp_path / "key"
    made = run_command("ledger", "keys", "new", path, "--name", "shop")
    assert path.stat().st_mode & 0o777 == 0o600
    signer = parse_signer(path.read_text())
    assert made.stdout.strip() == str(signer.public_key)
    assert run_command("ledger", "keys", "new", path).returncode == 2
    assert parse_signer(path.read_text()) == signer
    assert run_command("ledger", "keys", "list", "--ledger", ledger).stdout.split() == [PUBLIC]
    both = run_command("ledger", "keys", SPECSPAN_LEDGER=str(ledger), SPECSPAN_LEDGER_KEY_FILE=str(path))
    assert both.stdout.split() == [PUBLIC, str(signer.public_key)]
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{PUBLIC}\n{signer.public_key}\n")
    assert run(ledger, "verify", "--key", keys).returncode == 0


def test_ship_delivers_beside_a_living_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is written is delivered to SQLite, once; what comes later is delivered by the next run."""
    monkeypatch.setenv("SPECSPAN_DB", str(tmp_path / "decisions.db"))
    folder = tmp_path / "ledger"
    ledger = open_in(folder)
    ledger.append(
        decision(1, service={"name": "shop"}, spec=[], mode="observe", action="allow", counts={}), find_policy
    )
    ended = run(folder, "ship", "--to", "sqlite")
    assert (ended.returncode, ended.stdout) == (0, "sqlite: 2 records delivered\n"), ended.stderr
    assert run(folder, "ship").stdout == "sqlite: 0 records delivered\n"
    ledger.append(
        decision(2, service={"name": "shop"}, spec=[], mode="observe", action="allow", counts={}), find_policy
    )
    assert run(folder, "ship").stdout == "sqlite: 1 records delivered\n"
    ledger.shutdown(10.0)
    listed = json.loads(run_command("decisions", "list", "--json").stdout)
    assert {each["id"] for each in listed} == {"d-1", "d-2"}


def test_ship_says_what_a_backend_did_not_take(ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and the next run delivers it."""

    class Down:
        """Backend that takes nothing."""

        def export(self, records: object) -> None:
            raise OSError("no backend")

        def shutdown(self) -> None:
            """Have nothing to release."""

    monkeypatch.setattr("specspan.runtime.otel_providers.create_exporter", lambda *_: Down())
    ended = run(ledger, "ship", "--to", "webhook")
    assert ended.returncode == 1
    assert ended.stdout == "webhook: 0 records delivered\n"
    assert "webhook did not take everything: OSError('no backend')" in ended.stderr
