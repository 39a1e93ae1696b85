"""The examples in a Markdown page: its fenced blocks, and what stands before each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`([\w-]+\.\w+)`:\s*\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    language: str
    text: str
    file: str | None
    """The name that the sentence before it ends with, as in ``… `policy.yaml`:``."""
    output: str | None
    """The text block that follows at once: what it prints."""
    line: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, by its path from the root."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    return [
        Block(
            language=match[1],
            text=match[2],
            file=name[1] if (name := _NAME.search(text[: match.start()])) else None,
            output=following[2] if following and _is_output(text[match.end() : following.start()], following) else None,
            line=text.count("\n", 0, match.start()) + 1,
        )
        for match, following in zip(found, [*found[1:], None], strict=False)
    ]


def _is_output(between: str, block: re.Match[str]) -> bool:
    return not between.strip() and block[1] == "text"
