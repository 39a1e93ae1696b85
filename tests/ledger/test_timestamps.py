"""Timestamps of checkpoints by an authority on the loopback, which OpenSSL plays."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from ledgers import ENVIRONMENT, write
from loopback import Answer, Asked, serving

from specspan.cli.main import cli

pytest.importorskip("rfc3161_client", reason="rfc3161-client is not installed")
OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[req]
distinguished_name = name
prompt = no
x509_extensions = root
[name]
CN = Authority of the tests
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamping]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
"""


def openssl(folder: Path, *arguments: str) -> None:
    """Run OpenSSL in a folder."""
    subprocess.run([OPENSSL, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a root, and a certificate that stamps."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "serial").write_text("01\n")
    (folder / "c.cnf").write_text(CONFIGURATION.format(folder=folder))
    key = ("-newkey", "rsa:2048", "-nodes", "-config", "c.cnf")
    openssl(folder, "req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "30")
    openssl(folder, "req", *key, "-keyout", "tsa.key", "-out", "tsa.csr")
    openssl(
        folder,
        *("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "29"),
        *("-extfile", "c.cnf", "-extensions", "stamping", "-out", "tsa.pem"),
    )
    return folder


@pytest.fixture
def address(authority: Path) -> Iterator[str]:
    """The address at which the authority stamps."""

    def stamp(asked: Asked) -> Answer:
        (authority / "query").write_bytes(asked.body)
        signing = ("-inkey", "tsa.key", "-signer", "tsa.pem", "-config", "c.cnf")
        openssl(authority, "ts", "-reply", "-queryfile", "query", *signing, "-out", "reply")
        return Answer(body=(authority / "reply").read_bytes(), headers={"Content-Type": "application/timestamp-reply"})

    with serving(stamp) as url:
        yield url


def run(*arguments: str | Path) -> tuple[int, str]:
    """Return exit code and output of a command about a ledger."""
    ran = CliRunner(env=ENVIRONMENT).invoke(cli, ["ledger", *map(str, arguments)])
    return ran.exit_code, ran.output + (str(ran.exception) if ran.exception else "")


def test_a_checkpoint_is_stamped_and_the_stamp_holds(tmp_path: Path, authority: Path, address: str) -> None:
    """The stamp is checked with the authority's root; the note anchors the ledger; another note does not hold."""
    ledger, stamps = tmp_path / "ledger", tmp_path / "stamps"
    write(ledger, range(3))
    code, output = run("timestamp", stamps, "--ledger", ledger, "--authority", address)
    assert (code, ".note" in output) == (0, True), output
    code, output = run("timestamp", stamps, "--ledger", ledger, "--check", authority / "root.pem")
    assert (code, ".note" in output) == (0, True), output
    (note,) = stamps.glob("*.note")
    code, output = run("verify", "--ledger", ledger, "--against", note)
    assert (code, "NOT ANCHORED" in output) == (0, False)
    note.write_bytes(note.read_bytes().replace(b"\n\n", b"\n\n\n"))
    code, output = run("timestamp", stamps, "--ledger", ledger, "--check", authority / "root.pem")
    assert (code, "does not hold" in output) == (1, True)


def test_another_root_is_not_believed(tmp_path: Path, authority: Path, address: str) -> None:
    """Whoever stamps must be known to whoever checks."""
    ledger, stamps = tmp_path / "ledger", tmp_path / "stamps"
    write(ledger, range(3))
    assert run("timestamp", stamps, "--ledger", ledger, "--authority", address)[0] == 0
    key = ("-newkey", "rsa:2048", "-nodes", "-config", str(authority / "c.cnf"))
    openssl(tmp_path, "req", "-x509", *key, "-keyout", "other.key", "-out", "other.pem", "-days", "30")
    code, output = run("timestamp", stamps, "--ledger", ledger, "--check", tmp_path / "other.pem")
    assert (code, "does not hold" in output) == (1, True)


def test_an_address_of_something_else_is_misuse(tmp_path: Path) -> None:
    """A page in place of a stamp is refused, and nothing is kept."""
    ledger, stamps = tmp_path / "ledger", tmp_path / "stamps"
    write(ledger, range(1))
    with serving(lambda _: Answer(body=b"<html>")) as url:
        code, output = run("timestamp", stamps, "--ledger", ledger, "--authority", url)
    assert (code, "no timestamp was given" in output) == (1, True)
    assert not stamps.exists()
