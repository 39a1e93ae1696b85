"""Loading a file: what it may be, who reads it, and what is said of one that cannot be read."""

from __future__ import annotations

import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest

from specspan._support import plugins
from specspan._support.messages import MAX_PROBLEMS
from specspan.errors import Problem, SpecError
from specspan.spec.read import MAX_BYTES, Origin, load_spec
from specspan.spec.spec import Clause, Spec

DATA = Path(__file__).with_name("data")
CLAUSE = b"# A {#a authority=user}\n\nText.\n"


def refusal(path: Path) -> Problem:
    """The one problem that a file is refused for."""
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    (problem,) = caught.value.problems
    assert str(path) in str(caught.value)
    assert problem.remedy
    return problem


def problems_of(path: Path) -> tuple[Problem, ...]:
    """What a file is refused for; nothing when it is read."""
    try:
        load_spec(path)
    except SpecError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"", None, "empty"),
        (b" \n\n", None, "empty"),
        (b"\xef\xbb\xbf", None, "empty"),
        (b"\x7fELF\0\0\0", None, "binary"),
        (b"# A {#a}\n\0", None, "binary"),
        ("# A {#a}".encode("utf-16"), None, "UTF-16"),
        (b"# A {#a}\n\nna\xefve\n", 3, "0xef"),
        (b"# A {#a}\n\xed\xa0\x80", 2, "0xed"),
        (b"Just text.\n", None, "no reader"),
        (b"# A heading without text\n", None, "no section binds"),
    ],
)
def test_file_that_is_no_spec_is_refused_by_name(tmp_path: Path, data: bytes, line: int | None, says: str) -> None:
    """A file whose bytes are no spec is refused with what it is, the line where there is one, and a remedy."""
    path = tmp_path / "spec.md"
    path.write_bytes(data)
    problem = refusal(path)
    assert says in problem.message
    assert problem.line == line


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A path without a file is refused."""
    assert "no such file" in refusal(tmp_path / "absent.md").message


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused."""
    assert "directory" in refusal(tmp_path).message


def test_path_that_no_system_has_is_refused() -> None:
    """A path that cannot exist is refused like any other that cannot be opened."""
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(SpecError, match="cannot be opened"):
            load_spec(name)


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A file over the limit is refused by its size, without its bytes in memory."""
    path = tmp_path / "huge.md"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    tracemalloc.start()
    try:
        assert "larger than 16 MB" in refusal(path).message
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1024 * 1024


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without end")
def test_file_without_end_is_refused() -> None:
    """A device whose size nobody knows is read up to the limit and no further."""
    assert f"{MAX_BYTES >> 20} MB" in refusal(Path("/dev/zero")).message


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_change_nothing_but_the_digest(
    tmp_path: Path, line_end: bytes, mark: bytes
) -> None:
    """A file from another system gives the same clauses; its digest is that of its own bytes."""
    data = mark + (CLAUSE + b"\n## B {#b}\n\n\ttabbed\n").replace(b"\n", line_end)
    path = tmp_path / "spec.md"
    path.write_bytes(data)
    spec = load_spec(path)
    assert spec.clauses["a"] == Clause("a", "A", "Text.", "user", line=1)
    assert spec.clauses["b"].line == 5
    assert spec.digest == f"sha256:{sha256(data).hexdigest()}"


def test_reader_is_found_by_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that another distribution registers reads its format, and no list names it."""
    module = ModuleType("acme_reader")

    def read(text: str, origin: Origin) -> Spec:
        return Spec("acme", text.split()[1], origin.digest, ("boss",), {}, origin.source)

    module.reads = lambda text: text.startswith("ACME")  # type: ignore[attr-defined]
    module.read = read  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_reader", module)
    monkeypatch.setattr(
        plugins, "iter_plugins", lambda group: [("acme", module)] if group == "specspan_readers" else []
    )
    path = tmp_path / "acme.txt"
    path.write_text("ACME 7")
    assert load_spec(path).ref.version == "7"


SECTION = """\
## Section {{#id_{0} authority=user}}

Text [?](#id_1).

**Example**: e

~~~xml
<user>
hi
</user>
~~~

"""


LARGE = 1_000_000
PATHOLOGICAL = {
    "many sections": "".join(SECTION.format(n) for n in range(LARGE // len(SECTION))),
    "one paragraph": "# A {#a}\n" + "[?](#" * (LARGE // 5),
    "long line of comments": "# A {#a}\n" + "<!---->" * (LARGE // 7),
    "long line of comment openings": "# A {#a}\n" + "<!--" * (LARGE // 4),
    "comment openings": "# A {#a}\n" + "<!--\n" * (LARGE // 5),
    "fences": "# A {#a}\n" + "~~~xml\n" * (LARGE // 7),
    "backticks": "# A {#a}\n" + "```x\n" * (LARGE // 5),
    "blank lines behind an admonition": "# A {#a}\n!!! meta\n" + "\n" * LARGE,
    "admonitions": "# A {#a}\n" + "!!! meta\n\n" * (LARGE // 10),
    "headings": "# A {#a}\n" * (LARGE // 9),
    "deep and shallow": "# A\n###### B\n" * (LARGE // 12),
    "spaces in a heading": "# A {#a}\n# " + " " * LARGE + "b",
    "attributes": "# A {#a " + "b=c " * (LARGE // 4) + "}",
    "quotes in attributes": '# A {#a b="' + '"x ' * (LARGE // 3) + "}",
    "front matter": "---\n" + "a: [*x, &x y]\n" * (LARGE // 14) + "---\n# A {#a}",
    "open front matter": "---\n" + "a\n" * (LARGE // 2) + "# A {#a}",
}
EXAMPLES = {
    "messages": "<user>\nhi\n</user>\n" * (LARGE // 18),
    "openings": "<user>" * (LARGE // 6),
    "closings": "</user>" * (LARGE // 7),
    "angle brackets": "<user>" + "<" * LARGE + "</user>",
    "inner openings": "<user>" + "<untrusted>" * (LARGE // 11) + "</user>",
    "inner elements": "<user>" + "<settings>x</settings>" * (LARGE // 22) + "</user>",
    "one long answer": "<comparison><assistant></assistant>" + "<tool></tool>" * (LARGE // 13) + "</comparison>",
    "open comparison": "<comparison>" + "<assistant></assistant>" * (LARGE // 23),
    "attributes": "<user" + ' a="b"' * (LARGE // 6) + ">",
    "open attributes": "<user" + ' a="b' * (LARGE // 5),
    "comments": "<!---->" * (LARGE // 7),
    "stray": "*" * LARGE + "<user></user>",
    "entities": "<user>" + "&lt;" * (LARGE // 4) + "</user>",
}
PATHOLOGICAL |= {
    f"example of {name}": f"# A {{#a}}\n**Example**: x\n~~~xml\n{text}\n~~~\n" for name, text in EXAMPLES.items()
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_repetitive_text_is_read_or_refused_in_few_words(tmp_path: Path, name: str) -> None:
    """A megabyte of text, however repetitive, is read to its end, and a refusal stays short."""
    path = tmp_path / "spec.md"
    path.write_text(PATHOLOGICAL[name], encoding="utf-8")
    problems = problems_of(path)
    assert len(problems) <= MAX_PROBLEMS + 1
    assert all(len(problem.message) < 400 for problem in problems)


def test_five_megabytes_of_clauses_are_read(tmp_path: Path) -> None:
    """A spec twenty times as large as the Model Spec is read whole."""
    path = tmp_path / "spec.md"
    harbour = (DATA / "harbour-2026-03-01.md").read_text(encoding="utf-8")
    path.write_text("".join(harbour.replace("{#", f"{{#n{n}_") for n in range(5_000_000 // len(harbour))))
    assert len(load_spec(path).clauses) > 10_000
