"""Reading YAML: every value knows its line, and what is dangerous or not meant is refused."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.documents import yaml as yaml_text
from specspan.documents.yaml import parse_scalar
from specspan.errors import PolicyError, Problem
from specspan.policy import file as document
from specspan.policy.file import read_document

Read = Callable[[str | bytes], document.PolicyDocument]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads text or bytes as the file ``p.yaml``."""
    monkeypatch.chdir(tmp_path)

    def read_it(content: str | bytes) -> document.PolicyDocument:
        Path("p.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_document(Path("p.yaml"))

    return read_it


def test_every_value_knows_its_line(read: Read) -> None:
    """A value stands at the line of its key, an item of a list at its own, an alias where it is written."""
    root = read("a:\n  b:\n    - x\n    - y: &deep\n        z: 1\nc: *deep\n").root
    lines = {path: root.at(path).line for path in [("a",), ("a", "b", 0), ("a", "b", 1, "y", "z"), ("c",), ("c", "z")]}
    assert lines == {("a",): 1, ("a", "b", 0): 3, ("a", "b", 1, "y", "z"): 5, ("c",): 6, ("c", "z"): 5}
    assert root.value == {"a": {"b": ["x", {"y": {"z": 1}}]}, "c": {"z": 1}}
    assert read("a: &x {b: c}\nd:\n  - e\n  - *x\n").root.at(("d", 1)).line == 4


def test_a_path_that_leads_nowhere_ends_at_the_nearest_value_above(read: Read) -> None:
    """What is missing is shown where it would have to stand."""
    assert read("a: 1\nb:\n  c: 2\n").root.at(("b", "d", 3)).line == 2


def test_the_digest_is_of_the_bytes(read: Read) -> None:
    """A byte order mark and line ends count: the digest names this file and no other."""
    content = b"\xef\xbb\xbfa: b\r\n"
    assert read(content).digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert read(content).root.value == {"a": "b"}


def test_keys_are_names_as_written(read: Read) -> None:
    """Words that YAML may take for values name clauses like any other; quoted values stay text."""
    assert read("{no: on, 1: 1, null: '1', true: \"no\", 1.50: ~}").root.value == {
        "no": "on",
        "1": 1,
        "null": "1",
        "true": "no",
        "1.50": None,
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "p.yaml: is empty. Write a policy; `specspan policy init SPEC` gives a first one."),
        ("# nothing\n", "p.yaml: is empty. Write a policy; `specspan policy init SPEC` gives a first one."),
        ("- a\n", "p.yaml:1: the top is not a mapping. Start with 'spec:' and 'clauses:'."),
        ("a: 1\na: 2\n", "p.yaml:2: a: 'a' stands here a second time, first on line 1. Keep one of the two."),
        (
            "a:\n  b: {c: 1, 'c': 2}\n",
            "p.yaml:2: a.b.c: 'c' stands here a second time, first on line 2. Keep one of the two.",
        ),
        (
            "a: !!python/object/apply:os.system [x]\n",
            (
                "p.yaml:1: a: a tag has no meaning here. "
                "Remove 'tag:yaml.org,2002:python/object/apply:os.system'; quotes make text of a value."
            ),
        ),
        ("a: !mine 1\n", "p.yaml:1: a: a tag has no meaning here. Remove '!mine'; quotes make text of a value."),
        ("!!str a: 1\n", "p.yaml:1: a tag has no meaning here. Remove 'tag:yaml.org,2002:str'."),
        ("&k a: 1\n", "p.yaml:1: an anchor marks a key. Remove '&k' or mark a value."),
        ("b: &x {}\n<<: *x\n", "p.yaml:2: merge keys are not read. Write the keys out, or alias the whole value."),
        ("? [a]\n: b\n", "p.yaml:1: invalid key: a list or a mapping. Write a name before the colon."),
        (
            "a: &x [*x]\n",
            "p.yaml:1: a[0]: the alias '*x' stands for nothing. Write '&x' before a value above it, outside of it.",
        ),
        ("a: 1\n---\nb: 2\n", "p.yaml:2: a second document starts. Keep one document a file: remove this '---'."),
        (
            'a:\n  - "\\d"\n',
            (
                "p.yaml:2: found unknown escape character while parsing a quoted scalar. "
                "Put patterns in single quotes: there a backslash stands for itself."
            ),
        ),
        (
            "a:\n\tb: 1\n",
            (
                "p.yaml:2: found character that cannot start any token while scanning for the next token. "
                "Indent with spaces: YAML allows no tab there."
            ),
        ),
        (
            "a: 1\nb: [1,\n2\n",
            (
                "p.yaml:2: did not find expected ',' or ']' while parsing a flow sequence. "
                "Close it, or put text with brackets, braces or commas in quotes."
            ),
        ),
        (
            "a: b: c\n",
            (
                "p.yaml:1: mapping values are not allowed in this context. "
                "Put text that holds ': ' in quotes, or correct the indentation."
            ),
        ),
        (b"a: 1\nb: \xff\n", "p.yaml:2: byte 0xff (offset 8) is not UTF-8. Save the file as UTF-8."),
        (
            "a: 1\nb: \x1b[31m\n",
            (
                "p.yaml:2: holds the control character U+001B. "
                "Remove it; inside double quotes it can be written as \\x and two hexadecimal digits."
            ),
        ),
    ],
)
def test_what_is_not_read_is_refused_with_its_line_and_a_remedy(read: Read, content: str | bytes, said: str) -> None:
    """Each thing a policy file must not hold gets the message made for it."""
    with pytest.raises(PolicyError) as refused:
        read(content)
    assert str(refused.value) == said


def test_a_key_cannot_command_the_terminal(read: Read) -> None:
    """An escape sequence in a key is shown, not sent."""
    with pytest.raises(PolicyError) as refused:
        read('"\\e[31m": !x 1\n')
    assert "\x1b" not in str(refused.value)
    assert r"'\x1b[31m'" in str(refused.value)


def test_several_problems_are_named_at_once_in_the_order_of_lines(read: Read) -> None:
    """One run shows all that is wrong, also what was met before the text broke off."""
    with pytest.raises(PolicyError) as refused:
        read("a: !x 1\nb: 1\nb: 2\nc: [\n")
    assert [problem.line for problem in refused.value.problems] == [1, 3, 4]


def test_more_problems_than_anybody_reads_end_the_reading(read: Read) -> None:
    """A hundred problems are named, and that there may be more."""
    with pytest.raises(PolicyError) as refused:
        read("a: 1\n" * 10_000)
    assert len(refused.value.problems) == 101
    assert refused.value.problems[-1].message == "reading stopped at 100 problems"


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """A missing file is a problem of the policy."""
    with pytest.raises(PolicyError, match=r"absent\.yaml: no such file. Check the path."):
        read_document(tmp_path / "absent.yaml")


def _laughs(levels: int) -> str:
    """Each line holds ten of the line before."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


def _tower(storeys: int) -> str:
    """Each line is thirty lists around the line before: deep only with the aliases written out."""
    lines = ["a0: &a0 x"]
    lines += [f"a{i}: &a{i} {'[' * 30}*a{i - 1}{']' * 30}" for i in range(1, storeys)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("bomb", "said"),
    [
        (_laughs(30), "every alias written out"),
        ("a: &a " + "x" * 500_000 + "\nb: [" + "*a, " * 100_000 + "]", "every alias written out"),
        ("a: [" + "[], " * 240_000 + "]", "every alias written out"),
        (_tower(40), "nested deeper than 32 levels"),
        ("a: " + "[" * 900_000, "nested deeper than 32 levels"),
        ("{a: " * 200_000, "nested deeper than 32 levels"),
        ("- " * 400_000, "nested deeper than 32 levels"),
        ("? " * 400_000, "nested deeper than 32 levels"),
        ("a: b\n" * 10_000_000, "larger than 1 MB"),
    ],
    ids=["laughs", "long text", "many values", "tower of aliases", "lists", "mappings", "dashes", "keys", "50 MB"],
)
def test_a_bomb_is_refused_before_it_takes_memory(read: Read, bomb: str, said: str) -> None:
    """Whatever a file would expand to, refusing it takes at most 80 MB: a hundredth of what the smallest would."""
    Path("p.yaml").write_text(bomb)
    del bomb
    tracemalloc.start()
    try:
        with pytest.raises(PolicyError, match=said):
            read_document(Path("p.yaml"))
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()


def test_aliases_within_measure_are_read(read: Read) -> None:
    """The limit is on what comes out, not on aliases as such."""
    assert read(_laughs(4)).root.value["a3"][9][9][9] == ["x"] * 10


def test_without_the_c_parser_the_same_is_read(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml its own parser does the work, slower."""
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
    assert read("a: &x {no: on}\nb: *x\n").root.value == {"a": {"no": "on"}, "b": {"no": "on"}}
    with pytest.raises(PolicyError, match=r"p\.yaml:1: a: a tag has no meaning"):
        read("a: !!x 1\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(300))
@given(content=st.binary() | st.text("ab:-?[]{}&*!|>'\"#%,\n \t1<\\").map(str.encode) | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(read: Read, content: bytes) -> None:
    """Nothing but a mapping or a `PolicyError` comes out, and its lines lie within the file."""
    try:
        problems: tuple[Problem, ...] = ()
        root = read(content).root
    except PolicyError as refused:
        problems = refused.problems
    else:
        assert isinstance(root.value, dict)
    last_line = content.count(b"\n") + content.count(b"\r") + 3
    assert all(1 <= (problem.line or 1) <= last_line for problem in problems)


_yaml_1_1: Any = yaml.resolver.Resolver()


def _bare_but_a_number(text: str) -> bool:
    """Whether PyYAML writes text without quotes that YAML 1.2 takes for a number: ``0o7``, ``1e3``, ``08``, ``-.5``."""
    bare = _yaml_1_1.resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    return bare and not isinstance(parse_scalar(text), str)


_text = st.text().filter(lambda text: not _bare_but_a_number(text))
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.text(min_size=1), _values, min_size=1, max_size=4), flow=st.booleans())
def test_what_a_yaml_library_writes_is_read_back(read: Read, value: dict[str, Any], flow: bool) -> None:
    """Text that looks like something else is quoted by every writer, and is text again here."""
    written = yaml.safe_dump(value, default_flow_style=flow)
    assert read(written).root.value == value
