"""What holds for any text at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specspan.errors import SpecError
from specspan.spec.read import load_spec
from specspan.spec.spec import Spec
from specspan.spec.spec_json import spec_to_json

HARBOUR = Path(__file__).with_name("data") / "harbour-2026-03-01.md"

FRAGMENTS = """\
# A {#a authority=user}
## B {#b authority=root tags=x}
### C {#c}
# a {#a
{#
---
id: x
ladder: [user, root]
```
```python
~~~xml
~~~
!!! meta "Commentary"
    indented
\tindented
**Example**: e
**Example:**
<user>
</user>
<assistant> <!-- GOOD -->
<assistant> <!-- BAD[#a], if: so -->
</assistant>
<comparison>
</comparison>
<untrusted>
</untrusted>
<!--
-->
[?](#a)
text
""".splitlines()

lines = st.lists(st.sampled_from(FRAGMENTS) | st.just("") | st.text(max_size=12), max_size=30)
documents = lines.map("\n".join) | lines.map(lambda rest: "\n".join(["# Z {#z}", *rest])) | st.text()
titles = st.text("abc XYZ-'…#", min_size=1, max_size=20).map(lambda text: f"t{text}t")
words = st.text("abcdef ghij", min_size=1, max_size=30).map(lambda text: f"w{text}w")
sections = st.tuples(
    st.integers(1, 6),
    titles,
    st.none() | st.sampled_from(["root", "system", "developer", "user", "guideline"]),
    st.lists(st.sampled_from(["one", "two", "three"]), unique=True).map(tuple),
    st.lists(words, max_size=3).map("\n\n".join),
    words | st.just(""),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write texts to."""
    return tmp_path_factory.mktemp("spec") / "spec.md"


def read(path: Path, data: bytes) -> Spec | None:
    """The spec, or None where the file is refused."""
    path.write_bytes(data)
    try:
        return load_spec(path)
    except SpecError as error:
        problems = error.problems
    assert all(problem.message and problem.remedy for problem in problems)
    return None


def holds(spec: Spec) -> None:
    """What is true of every spec."""
    assert spec.clauses
    assert json.loads(json.dumps(spec_to_json(spec)))["counts"]["sections"] == len(spec.clauses)
    for id_, clause in spec.clauses.items():
        assert clause.id == id_
        assert not set(id_) & set(" \t\n")
        assert clause.authority is None or clause.authority in spec.ladder
        assert clause.parent is None or spec.clauses[clause.parent].level < clause.level
        assert len(set(clause.references)) == len(clause.references)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=documents)
def test_any_text_is_a_spec_or_refused(path: Path, text: str) -> None:
    """Any text at all gives a sound spec or a `SpecError`, never another exception."""
    spec = read(path, text.encode("utf-8", "surrogatepass"))
    if spec is not None:
        holds(spec)


@settings(deadline=None)
@given(data=st.binary() | st.binary().map(lambda data: b"# A {#a}\n" + data))
def test_any_bytes_are_a_spec_or_refused(path: Path, data: bytes) -> None:
    """Any bytes at all give a sound spec or a `SpecError`."""
    spec = read(path, data)
    if spec is not None:
        holds(spec)


@settings(deadline=None)
@given(cut=st.integers(0, HARBOUR.stat().st_size), length=st.integers(0, 200))
def test_spec_with_a_hole_is_a_spec_or_refused(path: Path, cut: int, length: int) -> None:
    """A whole spec from which something was cut out is still sound, or refused."""
    data = HARBOUR.read_bytes()
    spec = read(path, data[:cut] + data[cut + length :])
    if spec is not None:
        holds(spec)


@settings(deadline=None)
@given(written=st.lists(sections, min_size=1, max_size=8))
def test_what_is_written_is_what_is_read(
    path: Path, written: list[tuple[int, str, str | None, tuple[str, ...], str, str]]
) -> None:
    """Level, title, authority, tags, text and commentary come back as they were written."""
    document = ""
    for number, (level, title, authority, tags, text, commentary) in enumerate(written):
        label = f" authority={authority}" if authority else ""
        tagged = f" tags={','.join(tags)}" if tags else ""
        note = f'!!! meta "Commentary"\n    {commentary}\n' if commentary else ""
        document += f"{'#' * level} {title} {{#id{number}{label}{tagged}}}\n{note}\n{text}\n\n"
    spec = read(path, document.encode())
    assert spec is not None
    assert [
        (clause.level, clause.title, clause.authority, clause.tags, clause.text, clause.commentary)
        for clause in spec.clauses.values()
    ] == written
