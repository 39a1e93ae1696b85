"""Schema of a spec in YAML, JSON and JSONL. Every model is strict and refuses unknown keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from specspan._support.messages import format_value


def _matching(pattern: str, what: str, remedy: str) -> tuple[Callable[[str], str], WithJsonSchema]:
    whole = re.compile(pattern)

    def check(text: str) -> str:
        if not whole.fullmatch(text):
            context = {"message": f"invalid {what} {format_value(text)}", "remedy": remedy}
            raise PydanticCustomError("spec", "{message}", context)
        return text

    return check, WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


_id, _id_schema = _matching(r"[\w.:-]+", "id", "Ids have letters, digits and '_.:-'.")
_word, _word_schema = _matching(r"[A-Za-z0-9][\w.:+-]*", "word", "Give words of letters, digits and '_.:+-'.")
_tag, _tag_schema = _matching(r'[^,"\s]+', "tag", "Tags have no space, no comma and no quotation mark.")
_line, _line_schema = _matching(r"[^\n\r\x00]*", "line", "Write one line.")
_text, _text_schema = _matching(r"[^\x00]*", "text", "Remove the zero character.")

Id = Annotated[str, AfterValidator(_id), _id_schema]
Word = Annotated[str, AfterValidator(_word), _word_schema]
Tag = Annotated[str, AfterValidator(_tag), _tag_schema]
Line = Annotated[str, AfterValidator(_line), AfterValidator(str.strip), _line_schema]
Text = Annotated[str, AfterValidator(_text), _text_schema]
Prose = Annotated[str, AfterValidator(_text), AfterValidator(lambda text: text.strip("\n")), _text_schema]
"""Markdown, the empty lines around it stripped."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TurnEntry(_Entry):
    """Message of an example conversation."""

    role: Line = ""
    """Empty for text between messages, such as ``[...]``."""
    content: Text = ""
    attributes: dict[Line, Text] = Field(default_factory=dict)
    inner: list[TurnEntry] = Field(default_factory=list)
    """Elements that stand inside the content."""


class VerdictEntry(_Entry):
    """Judgement of the spec on one answer."""

    label: Literal["GOOD", "BAD", "OK"]
    reason: Text | None = None
    condition: Text | None = None
    charged: Id | None = None
    """Id of another clause that the answer is charged against."""


class AnswerEntry(_Entry):
    """Answer among those compared."""

    verdict: VerdictEntry | None = None
    turns: list[TurnEntry]


class ComparisonEntry(_Entry):
    """Answers to one conversation, side by side."""

    turn: Annotated[int, Field(ge=0)] = 0
    """Number of the example's turns before the comparison."""
    answers: list[AnswerEntry]


class ExampleEntry(_Entry):
    """Example conversation of a clause."""

    title: Line
    line: int = 0
    """Line in the file it came from; not read."""
    turns: list[TurnEntry] = Field(default_factory=list)
    comparisons: list[ComparisonEntry] = Field(default_factory=list)


class ClauseEntry(_Entry):
    """Section of a spec."""

    id: Id
    title: Line = ""
    authority: Word | None = None
    """Level of the ladder; without it the section binds nobody."""
    parent: Id | None = None
    level: Annotated[int, Field(ge=1, le=6)] | None = None
    """Depth of the heading; without it, one below the parent's."""
    tags: list[Tag] = Field(default_factory=list)
    text: Prose = ""
    commentary: Prose = ""
    references: list[Id] = Field(default_factory=list)
    examples: list[ExampleEntry] = Field(default_factory=list)
    line: int = 0
    """Line in the file it came from; not read."""


class HeaderEntry(_Entry):
    """Identity and ladder that a spec declares."""

    v: Literal[1] = 1
    type: Literal["spec"] = "spec"
    id: Word | None = None
    version: Word | None = None
    ladder: Annotated[list[Word], Field(min_length=1)] | None = None
    """Levels of authority, strongest first."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """What else the document says of itself; of no meaning here."""
    digest: Any = None
    """Digest of the file it came from; not read, like the next two."""
    source: Any = None
    counts: Any = None


class SpecFile(HeaderEntry):
    """Whole spec in YAML or JSON."""

    clauses: Annotated[list[ClauseEntry], Field(min_length=1)]


class LineEntry(ClauseEntry):
    """Line of JSONL in the form that loses nothing: a clause, four of its keys named as people publish them."""

    text: Prose
    type: Literal["clause", "section"]
    """Kind of the line; a ``section`` binds nobody."""
    authority: Word | None = Field(alias="authority_level")
    parent: Id | None = Field(alias="section")
    """Id of the section around the clause."""
    references: list[Id] = Field(alias="related_statements")


class BareLineEntry(BaseModel):
    """Line of JSONL as people publish them; other keys beside these are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: Id
    text: Prose
    authority_level: Word | None
    type: Line | None = None
    section: Line | None = None
    """Title of the section, or the id of another line."""
    related_statements: list[Id] = Field(default_factory=list)
