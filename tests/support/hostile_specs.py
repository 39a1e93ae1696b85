"""Five megabytes of anything: loads hostile files, each in a process of its own, and says what that took.

``python hostile_specs.py`` reads names, and prints for each CPU seconds, peak megabytes, and how it ended.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from specspan.errors import SpecError
from specspan.spec.read import load_spec

SIZE = 5_000_000


def _times(text: str, *, head: str = "", tail: str = "") -> str:
    return head + text * ((SIZE - len(head) - len(tail)) // len(text)) + tail


def _clauses(form: str) -> str:
    """As many sound clauses as five megabytes hold."""
    entry = {
        "id": "c{0}",
        "title": "A title",
        "authority": "user",
        "text": "Be kind to everyone. " * 20,
        "references": ["c0"],
    }
    bare = {"id": "c{0}", "text": "Be kind to everyone. " * 20, "type": "x", "authority_level": "USER", "section": "S",
            "related_statements": ["c0"]}  # fmt: skip
    line = json.dumps(bare if form == "jsonl" else entry)
    lines = [line.replace("c{0}", f"c{n}") for n in range(SIZE // len(line))]
    if form == "jsonl":
        return "\n".join(lines)
    return '{"clauses": [\n' + ",\n".join(lines) + "\n]}" if form == "json" else "clauses:\n- " + "\n- ".join(lines)


_SECTION = "# A {#a}\n"
_EXAMPLE = f"{_SECTION}**Example**: x\n~~~xml\n"


def _section(text: str, *, head: str = "", tail: str = "") -> str:
    """One section of nothing but a text, over and over."""
    return _times(text, head=_SECTION + head, tail=tail)


def _example(text: str, *, head: str = "", tail: str = "") -> str:
    """One conversation likewise."""
    return _times(text, head=_EXAMPLE + head, tail=f"{tail}\n~~~\n")


def _ids(form: str, many: int) -> str:
    """As many clauses of the least that one can be."""
    return form.format(", ".join(f'{{"id": "c{n}", "parent": "c{n + 1}"}}' for n in range(many)))


MARKDOWN = {
    "a million headings": lambda: _SECTION * 600_000,
    "one heading of attributes": lambda: _times('"', head="# A {#a ", tail="}"),
    "one heading of braces": lambda: _times("{", head=f"{_SECTION}# ", tail="}"),
    "one line of brackets": lambda: _section("["),
    "one line of references": lambda: _section("[?](#a)"),
    "one line of blanks": lambda: _section(" ", tail="x"),
    "comments that are never closed": lambda: _section("<!--\n"),
    "lines of comments": lambda: _section("x\n<!-- -->y\n"),
    "fences that are never closed": lambda: _section("~~~xml\n"),
    "fences in fences": lambda: _SECTION + "".join("~" * n + "\n" for n in range(3150, 2, -1)),
    "blank lines in commentary": lambda: _section("\n", head="!!! meta\n", tail="x"),
    "words": lambda: _section("a b\n"),
    "examples": lambda: _section("**Example**: x\n~~~xml\n<user>\nx\n</user>\n~~~\n"),
    "one example's title": lambda: _section("x\n", head="**Example**: ", tail="~~~xml\n~~~\n"),
    "messages": lambda: _example("x<a></a>"),
    "messages that are never closed": lambda: _example("<user>"),
    "answers": lambda: _example("<a><!--BAD[#a]--></a>", head="<comparison>", tail="</comparison>"),
    "just so many answers": lambda: f"{_EXAMPLE}<comparison>{'<a><!--BAD[#a]--></a>' * 99_000}</comparison>\n~~~\n",
    "elements in one another": lambda: _example("<untrusted>", head="<user>", tail="</untrusted></user>"),
    "one tag of attributes": lambda: _example(' a="b"', head="<user", tail="></user>"),
    "one element of attributes": lambda: _example(' a="b"', head="<user><untrusted", tail="x</user>"),
    "front matter that never ends": lambda: _times("x\n", head="---\n", tail=_SECTION),
    "plain titles of brackets": lambda: "".join(f"# {'[' * 190} a{n}\n\nx\n\n" for n in range(24_000)),
    "plain titles alike": lambda: "".join(f"{'#' * (1 + n % 6)} {'A' * 90}\n\nx\n\n" for n in range(40_000)),
}

FILES = {
    **MARKDOWN,
    "json of parents": lambda: _ids('{{"clauses": [{}]}}', 39_000),
    "json of small clauses": lambda: _ids('{{"clauses": [{}]}}', 130_000),
    "yaml of small clauses": lambda: _ids("clauses: [{}]", 130_000),
    "json of clauses": lambda: _clauses("json"),
    "yaml of clauses": lambda: _clauses("yaml"),
    "jsonl of clauses": lambda: _clauses("jsonl"),
    "json of numbers": lambda: _times("1,", head='{"clauses": [', tail="1]}"),
    "json of empty clauses": lambda: _times("{},", head='{"clauses": [', tail="{}]}"),
    "json of brackets": lambda: _times("[", head='{"clauses": '),
    "json of one text": lambda: _times(
        "\\n", head='{"clauses": [{"id": "a", "authority": "user", "text": "', tail='"}]}'
    ),
    "json of one open text": lambda: _times("x", head='{"clauses": [{"id": "'),
    "json of tags": lambda: _times('"",', head='{"clauses": [{"id": "a", "tags": [', tail='""]}]}'),
    "json of blanks": lambda: _times(" \n", head='{"clauses": ', tail="}"),
    "jsonl of empty objects": lambda: _times("{}\n"),
    "jsonl of one id": lambda: _times('{"id":"a","text":"","authority_level":null}\n'),
    "yaml of numbers": lambda: _times("- 1\n", head="clauses:\n"),
    "yaml of brackets": lambda: _times("[", head="clauses: "),
    "yaml of dashes": lambda: _times("- ", head="clauses: \n"),
    "yaml of aliases": lambda: _times("- *a\n", head="clauses:\n- &a {id: a}\n"),
    "yaml of keys": lambda: _times("? ", head="clauses: \n"),
    "yaml of one text": lambda: _times("x ", head="clauses:\n- id: "),
    "yaml of comments": lambda: _times("#\n", tail="id: a\nclauses: []\n"),
    "yaml of documents": lambda: _times("---\n", head="clauses: []\n"),
    "plain headings": lambda: _times("# A\n\nx\n\n"),
    "plain underlines": lambda: _times("-\n", head="# A\n\nx\n"),
    "plain title": lambda: _times("[", head="# "),
    "plain parentheses": lambda: _times(" (authority:", head="# A"),
    "sections": lambda: "".join(f"# A {{#a{n} authority=user}}\n\nText.\n\n" for n in range(SIZE // 40)),
    "plain sections": lambda: "".join(f"# Title {n}\n\nText of it.\n\n" for n in range(SIZE // 30)),
}


PATIENCE_S = 120


_SOUND = (
    "# A {#a}\n",
    "# A\n\nx\n",
    '{"clauses": [{"id": "a"}]}',
    "clauses: [{id: a}]\n",
    '{"id": "a", "text": "", "authority_level": null}\n',
)
"""One small file of each form, so that every reader is imported."""


def main() -> None:
    """Load each in a copy of this process, in which everything is imported."""
    for text in _SOUND:
        read(text)
    gc.collect()
    gc.freeze()  # so that no copy looks through what was imported
    for line in sys.stdin:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE_S)
            _in_a_copy(line.rstrip("\n"), writes)
        os.close(writes)
        with os.fdopen(reads) as told:
            took = told.read()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({**json.loads(took or "{}"), "status": status}) + "\n")
        sys.stdout.flush()


def _in_a_copy(name: str, told: int) -> None:
    status = 1
    try:
        os.write(told, json.dumps(load(name)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def load(name: str) -> dict[str, Any]:
    """Load one, and say what it took."""
    text = FILES[name]()
    started_s = time.process_time()
    ended = read(text)
    took_s = time.process_time() - started_s
    return {"took_s": round(took_s, 2), "peak_mb": round(_peak_mb()), "ended": ended}


def read(text: str) -> str:
    """Load one text as a file, and say how that ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec"
        path.write_text(text, encoding="utf-8")
        try:
            return f"{len(load_spec(path).clauses)} clauses"
        except SpecError as error:
            return f"refused: {error.problems[0].message[:90]}"


def _peak_mb() -> float:
    """The most memory this process has held. Linux hands ``ru_maxrss`` down from the process that started this one."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
