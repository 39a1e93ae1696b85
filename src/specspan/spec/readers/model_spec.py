"""The Model Spec's Markdown, as it is published and as a company may write its own spec.

::

    ## Protect people's privacy {#protect_privacy authority=root tags=under_18}

    Normative text, with references such as [?](#chain_of_command).

    !!! meta "Commentary"
        Text that binds nobody.

    **Example**: asking for a phone number

    ~~~xml
    <user> ... </user>
    <comparison> <assistant> <!-- GOOD: reason --> ... </assistant> </comparison>
    ~~~

Source: the Markdown of the public repository openai/model_spec, revisions 2025-02-12 to 2025-12-18.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from specspan.errors import Problem, SpecError
from specspan.problems import Problems
from specspan.spec.conversation import BadConversation, Conversation, read_conversation
from specspan.spec.front_matter import front_matter
from specspan.spec.headings import Heading, read_heading
from specspan.spec.identity import id_of, version_of
from specspan.spec.ladder import derive
from specspan.spec.load import Origin
from specspan.spec.markdown import Block, BlockKind, blocks
from specspan.spec.model import Clause, Example, Spec
from specspan.spec.sniff import Kind, kind_of
from specspan.spec.soundness import misfits

_ANY_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t].*\{#", re.MULTILINE)
_REFERENCE = re.compile(r"\]\(#([\w.:-]+)\)")

# The published text says of itself, in its first paragraph, what it is. Which edition, only the digest tells.
_PUBLISHED = "The Model Spec outlines the intended behavior for the models that power OpenAI's products"
_PUBLISHED_ID = "openai-model-spec"


def reads(text: str) -> bool:
    """Whether a heading carries an id as in ``## Title {#id}``."""
    return kind_of(text) is Kind.PROSE and _ANY_HEADING.search(text) is not None


def read(text: str, origin: Origin) -> Spec:
    """The spec of a document in this dialect.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    front = front_matter(text, problems)
    found = list(blocks(text[front.end :], problems, first_line=front.lines + 1))
    sections = _sections(found, problems)
    ladder = front.ladder or derive(section.heading.authority or "" for section in sections)
    if not sections:
        problems.add(Problem("there is no section", "Begin each clause with a heading such as '## Title {#its_id}'."))
    declare = "Declare your own levels with 'ladder:' in front matter."
    problems.add_all(misfits([section.heading for section in sections], ladder, declare))
    problems.refuse()
    clauses = {clause.id: clause for clause in _clauses(sections)}
    return Spec(
        id=front.id or _name(origin.source, next(iter(clauses.values()))),
        version=front.version or version_of(origin.source),
        digest=origin.digest,
        ladder=ladder,
        clauses=clauses,
        source=origin.source,
    )


@dataclass(slots=True)
class _Section:
    """A section while it is read."""

    heading: Heading
    text: list[str] = field(default_factory=list)
    commentary: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    def take(self, block: Block) -> None:
        """Take in a block of prose."""
        if block.kind is BlockKind.ADMONITION and block.info == "meta":
            self.commentary.append(block.body)
        else:
            self.text.append(block.text)
        if block.kind is not BlockKind.FENCE:
            self.references += _REFERENCE.findall(block.text)

    def take_example(self, title: Block, fence: Block, problems: Problems) -> None:
        """Take in an example: what announces it, and its conversation."""
        try:
            conversation = read_conversation(fence.body, fence.line + 1)
        except BadConversation as error:
            problems.add(error.problem)
            return
        words = " ".join(title.text.split()).removeprefix("**Example**:").removeprefix("**Example:**").strip()
        self.examples.append(Example(words, conversation.turns, conversation.comparisons, title.line))
        self.references += _REFERENCE.findall(title.text)
        self.references += _mentioned(conversation)


def _sections(found: list[Block], problems: Problems) -> list[_Section]:
    """Every section with what stands in it, up to the next heading. Text before the first belongs to none."""
    sections: list[_Section] = []
    taken: Block | None = None
    for block, after in zip_longest(found, found[1:]):
        if block.kind is BlockKind.HEADING:
            sections.append(_Section(read_heading(block.text, block.line, problems)))
        elif not sections or block is taken:
            continue
        elif block.kind is not BlockKind.EXAMPLE:
            sections[-1].take(block)
        elif after is not None and after.kind is BlockKind.FENCE and after.info == "xml":
            sections[-1].take_example(block, after, problems)
            taken = after
        else:
            remedy = "Put a '~~~xml' block with its conversation behind it."
            problems.add(Problem("an example has no conversation", remedy, block.line))
    return sections


def _mentioned(conversation: Conversation) -> Iterator[str]:
    """The clauses that the verdicts of a conversation name."""
    for comparison in conversation.comparisons:
        for answer in comparison.answers:
            if answer.verdict is not None:
                yield from filter(None, [answer.verdict.charged])
                yield from _REFERENCE.findall(answer.verdict.reason or "")


def _clauses(sections: Iterable[_Section]) -> Iterator[Clause]:
    """The finished clauses; a section's parent is the nearest one above it with a higher heading."""
    above: list[Heading] = []
    for section in sections:
        heading = section.heading
        while above and above[-1].level >= heading.level:
            above.pop()
        yield Clause(
            id=heading.id,
            title=heading.title,
            text="\n\n".join(section.text),
            authority=heading.authority,
            parent=above[-1].id if above else None,
            level=heading.level,
            tags=heading.tags,
            commentary="\n\n".join(section.commentary),
            references=tuple(dict.fromkeys((*heading.references, *section.references))),
            examples=tuple(section.examples),
            line=heading.line,
        )
        above.append(heading)


def _name(source: str, first: Clause) -> str:
    return _PUBLISHED_ID if first.text.startswith(_PUBLISHED) else id_of(source, first.id)
