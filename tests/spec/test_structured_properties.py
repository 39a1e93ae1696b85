"""What holds of any YAML, JSON and JSONL at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.errors import SpecError
from specspan.spec.read import load_spec
from specspan.spec.write import write_spec

HARBOUR = load_spec(Path(__file__).with_name("data") / "harbour-2026-03-01.md")
WRITTEN = {format_: write_spec(HARBOUR, format_) for format_ in ("yaml", "json", "jsonl")}
PIECES = [*'{}[]":,\n', "- ", "null", "1e999", "-0", "&a ", "*a", "!x ", "clauses:", "\\u0000", "---\n"]

pieces = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=6).map("".join)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write texts to."""
    return tmp_path_factory.mktemp("spec") / "spec"


@pytest.mark.parametrize("format_", WRITTEN)
@settings(max_examples=examples(60))
@given(at=st.integers(0, 10_000), length=st.integers(0, 200), put=pieces)
def test_a_damaged_file_is_a_sound_spec_or_refused(path: Path, format_: str, at: int, length: int, put: str) -> None:
    """A file with some of it cut out and something else put in gives a sound spec or a `SpecError`, nothing else."""
    text = WRITTEN[format_]
    at %= len(text)
    path.write_text(text[:at] + put + text[at + length :], encoding="utf-8", errors="surrogatepass")
    try:
        spec = load_spec(path)
    except SpecError as error:
        broken = [problem for problem in error.problems if not (problem.message and problem.remedy)]
        spec = None
    else:
        broken = []
    assert not broken
    for clause in spec.clauses.values() if spec is not None else ():
        assert clause.authority is None or clause.authority in spec.ladder  # type: ignore[union-attr]  # it is a spec
        assert clause.parent is None or spec.clauses[clause.parent].level < clause.level  # type: ignore[union-attr]
