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

from specspan._support.messages import Problems
from specspan.errors import Problem, SpecError
from specspan.spec.consistency import misfits
from specspan.spec.markdown import blocks, front_matter
from specspan.spec.read import Kind, Origin, has_ids, kind_of
from specspan.spec.sections import clauses_of, read_heading, sections_of
from specspan.spec.spec import Clause, Spec, derive, id_of, version_of

# The published text says of itself, in its first paragraph, what it is. Which edition, only the digest tells.
_PUBLISHED = "The Model Spec outlines the intended behavior for the models that power OpenAI's products"
_PUBLISHED_ID = "openai-model-spec"


def reads(text: str) -> bool:
    """Whether a heading carries an id as in ``## Title {#id}``."""
    return kind_of(text) is Kind.PROSE and has_ids(text)


def read(text: str, origin: Origin) -> Spec:
    """The spec of a document in this dialect.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    front = front_matter(text, problems)
    found = list(blocks(text[front.end :], problems, first_line=front.lines + 1))
    sections = sections_of(found, read_heading, problems)
    ladder = front.ladder or derive(section.heading.authority or "" for section in sections)
    if not sections:
        problems.add(Problem("there is no section", "Begin each clause with a heading such as '## Title {#its_id}'."))
    declare = "Declare your own levels with 'ladder:' in front matter."
    problems.add_all(misfits([section.heading for section in sections], ladder, declare))
    problems.raise_if_any()
    clauses = {clause.id: clause for clause in clauses_of(sections)}
    return Spec(
        id=front.id or _name(origin.source, next(iter(clauses.values()))),
        version=front.version or version_of(origin.source),
        digest=origin.digest,
        ladder=ladder,
        clauses=clauses,
        source=origin.source,
    )


def _name(source: str, first: Clause) -> str:
    return _PUBLISHED_ID if first.text.startswith(_PUBLISHED) else id_of(source, first.id)
