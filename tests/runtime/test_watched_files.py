"""Files as they are looked at: read when they may have changed, and else not."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from specspan.runtime import reload as watched_files
from specspan.runtime.reload import UNCERTAIN_NS, WatchedFiles, is_watchable


def digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of files whose bytes were read, in order."""
    found: list[str] = []
    read = watched_files._read_digest

    def noting(path: str) -> str | None:
        found.append(path)
        return read(path)

    monkeypatch.setattr(watched_files, "_read_digest", noting)
    return found


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    """What is there has its digest; what is not there, or cannot be read, has none."""
    file = tmp_path / "a"
    file.write_text("one")
    paths = [str(file), str(tmp_path / "absent"), str(tmp_path), "zero\0byte"]
    assert WatchedFiles().digests(paths) == dict(zip(paths, [digest("one"), None, None, None], strict=True))


def test_a_file_that_stood_still_is_not_read_again(tmp_path: Path, reads: list[str]) -> None:
    """Looking costs one `stat` a file, as long as nobody writes it."""
    file = tmp_path / "a"
    file.write_text("one")
    files = WatchedFiles(now_ns=lambda: time.time_ns() + 2 * UNCERTAIN_NS)
    assert [files.digests([str(file)]) for _ in range(3)] == [{str(file): digest("one")}] * 3
    assert reads == [str(file)]
    file.write_text("two")
    assert files.digests([str(file)]) == {str(file): digest("two")}
    assert len(reads) == 2


def test_a_file_that_changed_just_now_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    """Within one step of the file system's clock a second write leaves no trace but the bytes."""
    file = tmp_path / "a"
    file.write_text("one")
    files = WatchedFiles(now_ns=lambda: file.stat().st_mtime_ns + UNCERTAIN_NS)
    files.digests([str(file)])
    files.digests([str(file)])
    assert len(reads) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_not_watched(tmp_path: Path) -> None:
    """It gives its text once, and reading it again would wait for ever; a file that is yet to come is watched."""
    os.mkfifo(tmp_path / "pipe")
    assert not is_watchable(str(tmp_path / "pipe"))
    assert is_watchable(str(tmp_path / "absent"))
