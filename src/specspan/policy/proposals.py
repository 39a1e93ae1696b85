"""Ready-made checks that fit a clause, by the words of its title, its text and its tags.

They are proposals for somebody who knows the application: words tell what a clause speaks of, not what it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specspan.spec.spec import Clause

MAX_PROPOSALS = 3
"""Most checks that are proposed for one clause."""
_LEAST_IN_TEXT = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """Words that make a clause one that a check may serve."""

    kind: str
    configuration: Mapping[str, Any]
    words: re.Pattern[str]
    is_for_title: bool = False
    """True where the words say enough in the title, the id and the tags alone."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Check that may serve a clause."""

    kind: str
    configuration: Mapping[str, Any]
    reason: str


def _rule(kind: str, configuration: Mapping[str, Any], words: str, *, is_for_title: bool = False) -> Rule:
    return Rule(kind, configuration, re.compile(rf"\b(?:{words})", re.IGNORECASE), is_for_title)


RULES: tuple[Rule, ...] = (
    _rule(
        "pii", {"redaction": "form"}, r"privacy|personal(?:ly)?[ -](?:data|information|details|identif\w+)|pii\b|gdpr"
    ),
    _rule("secrets", {"stage": "output"}, r"passwords?\b|credentials?\b|api[ -]?keys?\b|secret keys?|access tokens?"),
    _rule(
        "leak",
        {"of": ["instructions"]},
        r"privileged|confidential|(?:system|hidden) (?:prompt|message|instructions?)s?\b|proprietary|"
        r"reveal\w* (?:its|the|your) (?:instructions|prompt)",
    ),
    _rule(
        "injection",
        {"stage": "input"},
        r"prompt injections?|untrusted|tool outputs?|quoted text|instructions in (?:tool|documents|data|web)|"
        r"no authority by default",
    ),
    _rule("links", {"images": []}, r"urls?\b|hyperlinks?|exfiltrat\w+|phishing|malicious (?:link|site)s?|links\b"),
    _rule(
        "language",
        {"confidence": 0.8},
        r"(?:user|person|customer)['’]?s? language|same language|language of the (?:user|question)|"
        r"(?:respond|repl\w+|answer)\w* in the language",
    ),
    _rule(
        "length",
        {"max_words": 400},
        r"concise\w*|brevity|brief\b|verbos\w+|efficient|long-winded|succinct\w*",
        is_for_title=True,
    ),
    _rule("repetition", {"times": 4}, r"repetit\w+|redundan\w+|repeat itself"),
    _rule(
        "citations",
        {"look": ["sources", "quotations"]},
        r"cit(?:e|es|ing|ation|ations)\b|quotations?\b|misquot\w+|fabricat\w+ (?:source|reference|quote)s?",
    ),
    _rule(
        "refusal",
        {},
        r"over-?refus\w+|overcautious|overly cautious|needless\w* refus\w+|unnecessar\w+ (?:refus|declin)\w+|"
        r"assume best intent",
    ),
    _rule(
        "json_schema",
        {"schema": {"type": "object"}},
        r"valid json|json (?:schema|format|object)|structured outputs?\b",
        is_for_title=True,
    ),
    _rule("scope", {"require": True}, r"scopes? of autonomy", is_for_title=True),
)


def propose_checks(clause: Clause) -> tuple[Proposal, ...]:
    """Return the ready-made checks that may serve a clause, those that its title asks for first."""
    found = sorted(_matches(clause), key=lambda each: each[0])
    return tuple(proposal for _, proposal in found[:MAX_PROPOSALS])


def _matches(clause: Clause) -> Iterator[tuple[int, Proposal]]:
    """Yield each proposal with its rank: 0 for words in the title, 1 for words in the text."""
    title = " ".join((clause.id.replace("_", " "), clause.title, *clause.tags))
    for rule in RULES:
        in_title = rule.words.search(title)
        in_text = [] if rule.is_for_title else [found[0] for found in rule.words.finditer(clause.text)]
        if in_title is not None:
            yield 0, Proposal(rule.kind, rule.configuration, f"its title says “{in_title[0]}”")
        elif len(in_text) >= _LEAST_IN_TEXT:
            yield 1, Proposal(rule.kind, rule.configuration, f"its text says “{in_text[0]}” {len(in_text)} times")


def proposal_lines(
    proposals: tuple[Proposal, ...], flow: Callable[[Any], str], *, has_checks: bool, switched_on: bool
) -> Iterator[str]:
    """Yield the lines of a policy file that propose checks: comments, or checks where they are ``switched_on``.

    Args:
        proposals: the proposals for one clause.
        flow: writes a value in one line of YAML.
        has_checks: whether the clause has checks above these lines.
        switched_on: whether the checks are in force.
    """
    sign = "" if switched_on else "# "
    if proposals and not has_checks:
        yield f"    {sign}checks:"
    for each in proposals:
        yield f"    {sign}  - {flow({each.kind: dict(each.configuration)})[1:-1]}  # proposed: {each.reason}"
