"""Real servers are found, or their tests say what is missing; what cannot be fetched is named and harms no other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import backends
import pytest
from _pytest.outcomes import Failed, Skipped

from documents import ROOT

GET = ROOT / "tools" / "backends" / "get.sh"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that nothing was fetched into, and a PATH with nothing on it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "specspan-backends"


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [("", Skipped), ("alertmanager", Skipped), ("prometheus,alertmanager", Failed), ("all", Failed), ("1", Failed)],
)
def test_an_absent_server_skips_or_fails(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, asked: str, outcome: type[BaseException]
) -> None:
    """Without its server a test is skipped, and fails where the server is required; the message says what to run."""
    monkeypatch.setenv("SPECSPAN_REQUIRE_BACKENDS", asked)
    with pytest.raises(outcome, match=r"'prometheus' is absent .* run: make backends"):
        backends.program("promtool", "prometheus")


def test_a_fetched_server_is_found(empty_cache: Path) -> None:
    """What stands in the cache is used before what is on PATH."""
    there = empty_cache / "prometheus-2.42" / "bin" / "promtool"
    there.parent.mkdir(parents=True)
    there.touch()
    assert backends.program("promtool", "prometheus") == there


def test_what_was_fetched_is_listed(tmp_path: Path) -> None:
    """What can be used is named, in the versions that tests are made for; nothing is fetched."""
    for folder in ("prometheus-2.42/bin", "alertmanager-0.1/bin", "jaeger-2.13.0"):
        (tmp_path / "specspan-backends" / folder).mkdir(parents=True)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([GET, "--there"], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["prometheus"]


def test_what_cannot_be_had_is_named(tmp_path: Path) -> None:
    """Where there is no package manager, the script names the server, leaves nothing behind and fails."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    (programs / "apt-get").chmod(0o755)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [GET, "prometheus", "alertmanager"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "prometheus 2.42 cannot be had here: no network" in done.stdout
    assert "alertmanager 0.25 cannot be had here: no network" in done.stdout
    assert not list((tmp_path / "cache" / "specspan-backends").iterdir())


def test_a_server_that_ends_at_once_is_told(tmp_path: Path) -> None:
    """A server that does not start fails the test with what it said."""
    command = ["sh", "-c", "echo no such option; exit 3"]
    with pytest.raises(AssertionError, match="ended with 3:\nno such option"):
        with backends.served(command, f"http://127.0.0.1:{backends.free_port()}/", tmp_path / "log"):
            pass
