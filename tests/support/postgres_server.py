"""A real PostgreSQL on loopback, with databases that a test has for itself."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from backends import READY_S, eventually, free_port, program
from psycopg import sql

USER, PASSWORD = "specspan", "geheim @/%"
"""A password that must be escaped in a URL, and that no message may hold."""
_FAST = ("fsync=off", "full_page_writes=off", "max_wal_senders=0", "wal_level=minimal", "max_connections=50")


@dataclass(slots=True)
class Postgres:
    """A server, where it listens, and how it is stopped and started again."""

    programs: Path
    folder: Path
    port: int
    uid: int | None
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """The address of a database."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def new_database(self, *options: str) -> str:
        """Make an empty database, and return its URL."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            made = sql.SQL("CREATE DATABASE {} " + " ".join(options))
            connection.execute(made.format(sql.Identifier(name)))
        return self.url(name)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [word for setting in (*_FAST, f"port={self.port}") for word in ("-c", setting)]
        where = ["-D", str(self.folder / "data"), "-k", "", "-h", "127.0.0.1"]
        command = [str(self.programs / "postgres"), *where, *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self.uid, cwd=self.folder)
        eventually(self._answers, READY_S, "PostgreSQL to be ready")

    def stop(self) -> None:
        """Stop it at once; clients lose their connections."""
        assert self._process is not None
        self._process.send_signal(3)  # SIGQUIT: immediate shutdown
        self._process.wait(10)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text(errors="replace")[-2000:])
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A new server until the block ends, or a skip that says what is missing."""
    programs = program("postgres").resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="specspan-postgres-", dir=_fastest()))
    try:
        uid = _other_user() if os.geteuid() == 0 else None
        if uid is not None:  # PostgreSQL refuses to run as root, and root's cache is nobody else's
            os.chown(folder, uid, -1)
            programs = _readable(programs, folder)
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o644)
        words = (programs / "initdb", "-D", folder / "data", "-U", USER, "--pwfile", folder / "password")
        options = ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        subprocess.run([*map(str, words), *options], check=True, capture_output=True, user=uid, cwd=folder, timeout=60)
        server = Postgres(programs, folder, free_port(), uid)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _fastest() -> str | None:
    """The folder in memory, where there is one: nothing of a test outlives it."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _other_user() -> int:
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody", 65534))


def _readable(programs: Path, folder: Path) -> Path:
    """The programs themselves, or a copy of them where other users cannot reach theirs."""
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    root = programs.parents[4]  # usr/lib/postgresql/15/bin
    copied = shutil.copytree(root, folder / "programs", symlinks=True)
    return copied / programs.relative_to(root)
