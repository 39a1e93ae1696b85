"""A store is named by a path or a URL; what names none is refused in a sentence without a password."""

from __future__ import annotations

from pathlib import Path

import pytest

import specspan
from specspan.errors import ConfigurationError, EmptyStore, MissingDependency, StoreError
from specspan.sqlite import SQLiteDecisionExporter
from specspan.stores.opening import absolute_address, find_kind, kind_name, open_store, store_address

SECRET = "geheim"


def test_the_address_is_an_argument_a_variable_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In this order; an empty variable counts as unset."""
    monkeypatch.setenv("SPECSPAN_DB", " ")
    assert store_address() == "specspan.db"
    monkeypatch.setenv("SPECSPAN_DB", "sqlite:///x.db")
    assert store_address() == "sqlite:///x.db"
    assert store_address(tmp_path) == str(tmp_path)


@pytest.mark.parametrize("address", ["specspan.db", "/a/b.db", "C:\\x.db", "sqlite:///x.db", "SQLite:////tmp/x.db"])
def test_a_path_and_its_url_are_sqlite(address: str) -> None:
    """Whatever has no scheme is a path."""
    assert find_kind(address).NAME == kind_name(address) == "sqlite"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"mysql://me:{SECRET}@host/db", "unknown scheme 'mysql'.*SPECSPAN_DB"),
        (f"postgresql+psycopg://me:{SECRET}@host/db", "unknown scheme"),
    ],
)
def test_an_unknown_scheme_is_refused(address: str, says: str) -> None:
    """The message says what can be written, and nothing of what follows the scheme."""
    with pytest.raises(ConfigurationError, match=says) as refused:
        open_store(address)
    assert SECRET not in str(refused.value)


def test_a_kind_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every missing package does."""
    monkeypatch.setattr("specspan._support.plugins.iter_plugins", lambda *_: iter(()))
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[postgres\]'") as refused:
        specspan.configure(db=f"postgresql://me:{SECRET}@host/db")
    assert SECRET not in str(refused.value)


def test_the_url_of_a_file_is_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the current folder with three slashes, absolute with four, for who writes and who reads."""
    monkeypatch.chdir(tmp_path)
    exporter = SQLiteDecisionExporter("sqlite:///own.db")
    exporter.export([{"v": 1, "type": "decision", "id": "d-1", "time_unix_nano": 1}])
    exporter.shutdown()
    for address in ("own.db", "sqlite:///own.db", f"sqlite:///{tmp_path}/own.db"):
        with open_store(address) as reader:
            assert [record["id"] for record in reader.decisions_of("")] == []
            assert reader.decision_ids("d") == ["d-1"]
            assert reader.name == str(tmp_path / "own.db")


@pytest.mark.parametrize("address", ["sqlite://own.db", "sqlite:///"])
def test_a_url_without_a_file_is_refused(address: str) -> None:
    """By who configures and by who reads."""
    with pytest.raises(StoreError, match="names no file"), open_store(address):
        pass
    with pytest.raises(ConfigurationError, match="names no file"):
        specspan.configure(db=address)


def test_sqlite_takes_no_other_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for SQLite by name, with the address of another store, gets no file of that name."""
    monkeypatch.setenv("SPECSPAN_DB", f"postgresql://me:{SECRET}@host/db")
    monkeypatch.setenv("SPECSPAN_DECISION_EXPORTER", "sqlite")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with pytest.raises(ConfigurationError, match="another kind of store") as refused:
        specspan.configure()
    assert SECRET not in str(refused.value)


def test_an_address_holds_in_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs that are started elsewhere write into the same store."""
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "x.db")
    assert absolute_address("x.db") == here
    assert absolute_address("sqlite:///x.db") == f"sqlite:///{here}"
    assert absolute_address("postgresql://host/db") == "postgresql://host/db"


def test_a_store_without_records_is_empty(tmp_path: Path) -> None:
    """A file that is missing or has no table yet is told from one that cannot be read."""
    with pytest.raises(EmptyStore), open_store(tmp_path / "none.db"):
        pass
    (tmp_path / "foreign.db").write_text("no database, but long enough to be one" * 50)
    with pytest.raises(StoreError) as refused, open_store(tmp_path / "foreign.db"):
        pass
    assert not isinstance(refused.value, EmptyStore)
