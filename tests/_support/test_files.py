"""Reading a text that somebody wrote."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from specspan._support.files import TextFile, read_text_file, record_file_reads
from specspan.errors import SpecError


def read(path: Path | str) -> TextFile:
    """Read as a spec of at most a megabyte."""
    return read_text_file(path, what="spec", max_bytes=1 << 20, error=SpecError)


def test_the_digest_is_of_the_bytes_and_the_text_without_the_mark(tmp_path: Path) -> None:
    """A byte order mark and line ends count in the digest; the mark is no text."""
    content = b"\xef\xbb\xbfa\r\nb"
    (tmp_path / "f").write_bytes(content)
    file = read(tmp_path / "f")
    assert (file.digest, file.text) == (f"sha256:{sha256(content).hexdigest()}", "a\r\nb")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("aä".encode("utf-16"), "f: this is UTF-16. Save it as UTF-8."),
        (b"\x7fELF\0\0", "f: this is a binary file. Give the text of a spec, in UTF-8."),
        (b"a\nb\xff", "f:2: byte 0xff (offset 3) is not UTF-8. Save the file as UTF-8."),
        (b"a" * ((1 << 20) + 1), "f: this file is larger than 1 MB. Give a spec: none needs more."),
    ],
    ids=["UTF-16", "binary", "not UTF-8", "too large"],
)
def test_what_is_no_text_is_refused(content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line where there is one, and a remedy."""
    monkeypatch.chdir(tmp_path)
    Path("f").write_bytes(content)
    with pytest.raises(SpecError) as refused:
        read("f")
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("absent", "absent: no such file. Check the path."),
        (".", ".: this is a directory. Name the file in it."),
        ("zero\0byte", "zero\0byte: it cannot be opened: embedded null byte. Check the path and its permissions."),
        ("a" * 300, f"{'a' * 300}: it cannot be opened: File name too long. Check the path and its permissions."),
    ],
    ids=["absent", "directory", "zero byte", "too long"],
)
def test_what_cannot_be_opened_is_refused(
    path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason that the system gives."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as refused:
        read(path)
    assert str(refused.value) == said


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    """A device is refused like any file that is too large."""
    with pytest.raises(SpecError, match="larger than 1 MB"):
        read("/dev/zero")


def test_what_is_read_can_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block every file that was asked for is noted with what was read, and outside none is."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("f", b"a"), ("g", b"\0"), ("h", b"c")):
        Path(name).write_bytes(content)
    with record_file_reads() as noted:
        read("f")
        for name in ("g", "absent"):
            with pytest.raises(SpecError):
                read(name)
    read("h")
    assert noted == {
        str(tmp_path / "f"): f"sha256:{sha256(b'a').hexdigest()}",
        str(tmp_path / "g"): f"sha256:{sha256(bytes(1)).hexdigest()}",
        str(tmp_path / "absent"): None,
    }
