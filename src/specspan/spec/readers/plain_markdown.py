"""Reader of plain Markdown, a company's document whose headings have no attributes.

::

    ---
    authority: developer
    ---
    # Refunds

    ## Ask for a reason (authority: user)

Ids are made from titles alone, so that rewording a text changes none. Each section with text binds at the level that
front matter gives, or at the one its heading names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from specspan._support.messages import Problems
from specspan.errors import Problem, SpecError
from specspan.spec.consistency import find_inconsistencies
from specspan.spec.markdown import Block, BlockKind, FrontMatter, read_front_matter, split_blocks
from specspan.spec.read import Origin, TextKind, classify_text, has_heading_ids
from specspan.spec.sections import Heading, build_clauses, build_sections, split_marks, strip_closing_marks
from specspan.spec.spec import Clause, Ladder, Spec, default_id, default_version, derive_ladder

ONLY_LEVEL = "policy"
"""Level of a document that names none."""

_MAX_TITLE_CHARS = 200
_ANY_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.MULTILINE)
_LEVEL_LABEL = re.compile(r"\(authority:[ \t]*(?P<level>[\w.:+-]+)\)$")
_ATTRIBUTES = re.compile(r"\{[^{}]*\}$")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^)]*\)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
_DECLARE_REMEDY = "Declare your own levels with 'ladder:' in front matter."


def reads(text: str) -> bool:
    """Return whether there are headings, and none of them has an id."""
    return classify_text(text) is TextKind.PROSE and not has_heading_ids(text) and _ANY_HEADING.search(text) is not None


def read(text: str, origin: Origin) -> Spec:
    """Return the spec of a document without attributes.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    front = read_front_matter(text, problems, extra_keys=("authority",))
    blocks = list(split_blocks(text[front.end :], problems, first_line=front.lines + 1))
    problems.add_all(_underlined_titles(blocks))
    drafts = list(build_clauses(build_sections(blocks, _read_heading, problems)))
    labelled = _with_authority(_with_ids(drafts), front)
    ladder = _choose_ladder(labelled, front)
    problems.add_all(find_inconsistencies(labelled, ladder, _DECLARE_REMEDY, "Give this section another title."))
    if not any(clause.authority for clause in labelled):
        remedy = "Write 'authority: level' in front matter, or '(authority: level)' behind a title."
        problems.add(Problem("no section binds anybody", remedy))
    problems.raise_if_any()
    return Spec(
        id=front.id or default_id(origin.source, labelled[0].id),
        version=front.version or default_version(origin.source),
        digest=origin.digest,
        ladder=ladder,
        clauses={clause.id: clause for clause in labelled},
        source=origin.source,
        metadata=front.metadata,
    )


def _read_heading(written: str, line: int, problems: Problems) -> Heading:
    """Return the heading on a line. Its id is the line for as long as titles may repeat."""
    level, text = split_marks(written)
    title = strip_closing_marks(text)
    if len(title) > _MAX_TITLE_CHARS:
        problems.add(Problem(f"a title has more than {_MAX_TITLE_CHARS} characters", "Make it text.", line))
        title = title[:_MAX_TITLE_CHARS]
    named = _LEVEL_LABEL.search(title)
    title = title if named is None else title[: named.start()].rstrip()
    if _ATTRIBUTES.search(title):
        problems.add(Problem(f"{title!r} has attributes and no id", "Write them as '{#its_id authority=level}'.", line))
    elif not _anchor(title):
        problems.add(Problem(f"{title!r} has no letter or digit to make an id of", "Give the section a title.", line))
    return Heading(level, title, line, f"line {line}", None if named is None else named["level"])


def _anchor(title: str) -> str:
    """Return the anchor that GitHub makes of a title."""
    return re.sub(r"[^\w\- ]", "", _LINK.sub(r"\1", title).strip().lower()).replace(" ", "-")


def _underlined_titles(blocks: Iterable[Block]) -> Iterator[Problem]:
    """Yield a problem for each title above a line of '=' or '-': to read it as text would hide a section."""
    for block in blocks:
        if block.kind is BlockKind.PARAGRAPH:
            for at, line in enumerate(block.lines[1:], 1):
                if _UNDERLINE.fullmatch(line):
                    message = f"{block.lines[at - 1].strip()!r} is underlined as a heading"
                    yield Problem(message, "Write '## Title', or an empty line above a rule.", block.line + at)


def _with_ids(drafts: list[Clause]) -> list[Clause]:
    """Return sections with ids made from their titles; where a title stands twice, each has its parent's before it."""
    often = Counter(_anchor(draft.title) for draft in drafts)
    ids: dict[str | None, str] = {}
    for draft in drafts:
        slug = _anchor(draft.title)
        above = ids.get(draft.parent)
        ids[draft.id] = f"{above}-{slug}" if often[slug] > 1 and above else slug
    return [replace(draft, id=ids[draft.id], parent=ids.get(draft.parent)) for draft in drafts]


def _with_authority(clauses: list[Clause], front: FrontMatter) -> list[Clause]:
    """Return clauses at their own level, or at the document's where they have text."""
    named = front.ladder is not None or any(clause.authority for clause in clauses)
    default = front.authority or (None if named else ONLY_LEVEL)
    return [clause if clause.authority or not clause.text else replace(clause, authority=default) for clause in clauses]


def _choose_ladder(clauses: Iterable[Clause], front: FrontMatter) -> Ladder:
    levels = [clause.authority for clause in clauses if clause.authority]
    return front.ladder or ((ONLY_LEVEL,) if set(levels) == {ONLY_LEVEL} else derive_ladder(levels))
