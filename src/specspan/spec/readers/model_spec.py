"""Reader of the Model Spec's Markdown, as it is published and as a company may write its own spec.

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

from specspan._support.messages import Problems
from specspan.errors import Problem, SpecError
from specspan.spec.consistency import find_inconsistencies
from specspan.spec.markdown import read_front_matter, split_blocks
from specspan.spec.read import Origin, TextKind, classify_text, has_heading_ids
from specspan.spec.sections import build_clauses, build_sections, read_heading
from specspan.spec.spec import Clause, Spec, default_id, default_version, derive_ladder

# The first paragraph of the published text. It does not tell the edition; the digest does.
_PUBLISHED = "The Model Spec outlines the intended behavior for the models that power OpenAI's products"
_PUBLISHED_ID = "openai-model-spec"


def reads(text: str) -> bool:
    """Return whether a heading carries an id as in ``## Title {#id}``."""
    return classify_text(text) is TextKind.PROSE and has_heading_ids(text)


def read(text: str, origin: Origin) -> Spec:
    """Return the spec of a document in this dialect.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    front = read_front_matter(text, problems)
    blocks = list(split_blocks(text[front.end :], problems, first_line=front.lines + 1))
    sections = build_sections(blocks, read_heading, problems)
    ladder = front.ladder or derive_ladder(section.heading.authority or "" for section in sections)
    if not sections:
        problems.add(
            Problem("the document has no section", "Begin each clause with a heading such as '## Title {#its_id}'.")
        )
    declare = "Declare your own levels with 'ladder:' in front matter."
    problems.add_all(find_inconsistencies([section.heading for section in sections], ladder, declare))
    problems.raise_if_any()
    clauses = {clause.id: clause for clause in build_clauses(sections)}
    return Spec(
        id=front.id or _spec_id(origin.source, next(iter(clauses.values()))),
        version=front.version or default_version(origin.source),
        digest=origin.digest,
        ladder=ladder,
        clauses=clauses,
        source=origin.source,
        metadata=front.metadata,
    )


def _spec_id(source: str, first: Clause) -> str:
    return _PUBLISHED_ID if first.text.startswith(_PUBLISHED) else default_id(source, first.id)
