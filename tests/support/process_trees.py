"""Processes that a test started, found again by a variable that they inherited, and the addresses they listen on."""

from __future__ import annotations

import ipaddress
import re
import struct
from pathlib import Path

import pytest

_LISTENING = "0A"


def marked(variable: str, value: str) -> dict[int, str]:
    """The command of every process whose environment has it, by process id."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc to look for processes in")
    entry = f"{variable}={value}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace")
        except OSError:  # it ended while we looked
            continue
    return found


def listening(pids: dict[int, str]) -> dict[str, set[str]]:
    """The addresses that these processes listen on, by the program's name."""
    found: dict[str, set[str]] = {}
    for pid, command in pids.items():
        words = [Path(word).name for word in command.split()]
        name = words[1] if words[0].startswith("python") else words[0]
        sockets = _sockets(pid)
        table = [
            row.split() for kind in ("tcp", "tcp6") for row in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()
        ]
        addresses = {_address(row[1]) for row in table if row[3] == _LISTENING and row[9] in sockets}
        found[name] = found.get(name, set()) | addresses
    return found


def _sockets(pid: int) -> set[str]:
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)]", link))}


def _address(written: str) -> str:
    """``0100007F:1F90``: words of 32 bits in the machine's order."""
    words = re.findall(".{8}", written.partition(":")[0])
    return str(ipaddress.ip_address(b"".join(struct.pack("=I", int(word, 16)) for word in words)))
