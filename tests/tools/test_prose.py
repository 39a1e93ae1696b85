"""Tests of the checker of docstrings and messages in `make check`."""

from __future__ import annotations

import io
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "prose.py"
MAIN = runpy.run_path(str(TOOL))["main"]
MODULE = '"""Fixture of a module in plain words."""\n'


class Result(NamedTuple):
    returncode: int
    stdout: str


def check(folder: Path, source: str) -> Result:
    """Write one module and run the checker over its folder."""
    (folder / "module.py").write_text(source, encoding="utf-8")
    return run(folder)


def run(*folders: Path) -> Result:
    """Run the checker in this process."""
    with redirect_stdout(io.StringIO()) as output:
        code = MAIN([str(folder) for folder in folders])
    return Result(code, output.getvalue())


def rules(result: Result) -> list[str]:
    """Return each hit as its line and its rule."""
    lines = result.stdout.splitlines()[:-1]
    return [f"{line.split(':')[1]} {line.rpartition(': ')[2]}" for line in lines]


@pytest.mark.parametrize(
    "opener", ["What", "Who", "Where", "Which", "How", "When", "Whether", "Of", "It", "it", "The same"]
)
def test_a_docstring_that_opens_with_a_word_for_what_follows_is_a_hit(tmp_path: Path, opener: str) -> None:
    """Each of the openers is named with its file and line."""
    result = check(tmp_path, f'{MODULE}\n\ndef go() -> None:\n    """{opener} a check is asked to do."""\n')

    assert result.returncode == 1
    place = tmp_path / "module.py"
    assert result.stdout.splitlines()[0] == f"{place}:5: {opener} a check is asked to do.: opener"


@pytest.mark.parametrize("start", ["Whatever", "Items", "Often", "Whose", "Return what", "The sameness", "However"])
def test_a_docstring_that_opens_with_another_word_is_no_hit(tmp_path: Path, start: str) -> None:
    """A longer word that starts like an opener and an opener inside the sentence are allowed."""
    assert check(tmp_path, f'"""{start} of a check that was decided."""\n').returncode == 0


@pytest.mark.parametrize(("openers", "code"), [(2, 0), (3, 1)])
def test_two_docstrings_in_a_hundred_may_have_an_opener(tmp_path: Path, openers: int, code: int) -> None:
    """Openers are listed only when their share is larger than two in a hundred."""
    firsts = ["What a check is asked." if number < openers else "Return the answer given." for number in range(99)]
    functions = (f'def f{number}() -> None:\n    """{first}"""\n' for number, first in enumerate(firsts))
    result = check(tmp_path, MODULE + "\n\n".join(functions))

    assert result.returncode == code
    assert len(rules(result)) == (openers if code else 0)
    assert f"{openers} of 100 docstrings have an opener ({openers}.0%, at most 2%)" in result.stdout


@pytest.mark.parametrize(
    "source",
    [
        '"""Parts of it."""\n',
        MODULE + 'class A:\n    """Theirs."""\n',
        MODULE + 'def go() -> None:\n    """Begin."""\n',
        MODULE + 'async def go() -> None:\n    """Begin over again."""\n',
        MODULE + 'class A:\n    def go(self) -> None:\n        """It\'s over."""\n',
        MODULE + 'def go() -> None:\n    def inner() -> None:\n        """Run on."""\n',
        MODULE
        + 'def go() -> None:\n    """Close it.\n\n    Raises:\n        ValueError: it was closed before.\n    """\n',
    ],
    ids=["module", "class", "function", "coroutine", "method", "nested", "summary"],
)
def test_a_summary_of_three_words_is_a_hit(tmp_path: Path, source: str) -> None:
    """Modules, classes and functions need more than three words in the first paragraph."""
    result = check(tmp_path, source)

    assert result.returncode == 1
    assert "3 words or fewer" in [rule.split(" ", 1)[1] for rule in rules(result)]


def test_a_summary_of_four_words_may_take_two_lines(tmp_path: Path) -> None:
    """Words are counted over the whole first paragraph."""
    assert check(tmp_path, MODULE + 'def go() -> None:\n    """Close the\n    open file."""\n').returncode == 0


@pytest.mark.parametrize(
    ("decorator", "name", "is_hit"),
    [
        ("@override", "go", False),
        ("@typing.override", "go", False),
        ("@typing_extensions.override", "go", False),
        ("", "__len__", False),
        ("@specspan.override", "go", True),
        ("@override('clause', by='user')", "go", True),
        ("@property", "go", True),
        ("", "__go", True),
    ],
)
def test_only_overrides_and_dunder_methods_may_be_short(
    tmp_path: Path, decorator: str, name: str, is_hit: bool
) -> None:
    """A method whose contract is written elsewhere may have a short docstring, and no other method."""
    method = f'    {decorator}\n    def {name}(self) -> int:\n        """As above."""\n'
    result = check(tmp_path, f"{MODULE}class A:\n{method}")

    assert result.returncode == int(is_hit)


@pytest.mark.parametrize("head", ["def __getattr__(name: str) -> int:", "@override\ndef go(name: str) -> int:"])
def test_a_function_outside_a_class_overrides_nothing(tmp_path: Path, head: str) -> None:
    """Neither a dunder name nor the decorator excuses a function of a module."""
    assert rules(check(tmp_path, f'{MODULE}{head}\n    """As above."""\n'))[0].endswith("3 words or fewer")


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("raise ValueError('x is no mode')", "is no"),
        ("raise ValueError(f'{mode!r} is no mode')", "is no"),
        ("text = f'{mode!r} is no {kind} of ours'", "is no"),
        ("text = '%r is no %s' % (mode, kind)", "is no"),
        ("text = 'this is no ' + kind", "is no"),
        ("text = ('the top is '\n    'no mapping')", "is no"),
        ("text = f'{mode} is none of {modes}'", "is none of"),
        ("text = 'these are no words'", "are no"),
        ("go(text='There Is No file')", "Is No"),
        ("text = f'{describe(\"x is no mode\")}'", "is no"),
        ("def go(text='x is no mode'): ...", "is no"),
        ("parts = {'x is no mode': 1}", "is no"),
    ],
)
def test_a_message_with_an_inverted_negation_is_a_hit(tmp_path: Path, code: str, rule: str) -> None:
    """Strings and f-strings are read as one text, wherever they stand in the code."""
    result = check(tmp_path, f"{MODULE}{code}\n")

    assert result.returncode == 1
    assert rules(result) == [f'2 message with "{rule}"']


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('unknown mode')",
        "raise ValueError('the mode is not known')",
        "text = 'the policy is no longer in force'",
        "text = 'the answer is no.'",
        "text = f'this is {adverb} no mode'",
        "text = 'this is nothing, and these are nodes'",
        "mode = 1  # it is no mode",
        "mode: int\n'''Number that is no mode of a call.'''",
        "def go() -> None:\n    '''Raise if the name is no mode.'''",
        "class A:\n    '''Value that is none of the modes.'''",
        "data = b'x is no mode'",
    ],
)
def test_other_negations_comments_and_docstrings_are_no_messages(tmp_path: Path, code: str) -> None:
    """Only what code can raise or show is a message, and "no longer" is allowed in it."""
    result = check(tmp_path, f"{MODULE}{code}\n")

    assert (result.returncode, rules(result)) == (0, [])


def test_a_long_text_is_shown_by_its_start_on_one_line(tmp_path: Path) -> None:
    """Hits stay readable when the message has many lines."""
    result = check(tmp_path, f"{MODULE}text = 'x is no mode\\n{'word ' * 40}'\n")

    (hit,) = result.stdout.splitlines()[:-1]
    assert "x is no mode word word" in hit
    assert "…: message" in hit


def test_hits_of_all_folders_are_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    """Every rule's hits stand together where the reader looks for them."""
    source = '"""Parts."""\n\n\ndef go() -> None:\n    """What is done."""\n    print("x is no mode")\n'
    folders = [tmp_path / "second", tmp_path / "first"]
    for folder in folders:
        folder.mkdir()
        (folder / "module.py").write_text(source, encoding="utf-8")
    result = run(*folders)

    assert rules(result) == ["1 3 words or fewer", "5 opener", "5 3 words or fewer", '6 message with "is no"'] * 2
    assert [Path(line.split(":")[0]).parent.name for line in result.stdout.splitlines()[:-1:4]] == ["first", "second"]
    assert result.stdout.splitlines()[-1].startswith("prose: 8 hits in 2 files; 2 of 4 docstrings have an opener")


def test_a_folder_without_python_files_is_refused(tmp_path: Path) -> None:
    """A mistyped folder is not a check that passes."""
    with pytest.raises(SystemExit, match=r"no Python files below '.*absent'"):
        run(tmp_path / "absent")


@pytest.mark.parametrize(("source", "code"), [(MODULE, 0), ('"""Theirs."""\n', 1)])
def test_the_exit_code_of_the_command_says_whether_a_rule_is_broken(tmp_path: Path, source: str, code: int) -> None:
    """`make check` stops at the first hit."""
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    command = [sys.executable, str(TOOL), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)

    assert (result.returncode, result.stderr) == (code, "")
    assert f"prose: {code} hits in 1 files" in result.stdout


def test_the_command_without_a_folder_is_refused() -> None:
    """The message shows how the command is used."""
    result = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "python tools/prose.py FOLDER" in result.stderr
