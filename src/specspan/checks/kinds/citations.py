"""Kind ``citations``: sources that an answer names are among the documents, and quotations stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import Field

from specspan.call import ModelCall, Side
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.detectors.cited_sources import Documents, citations_in, documents_of, quotations_in
from specspan.checks.detectors.detector_check import MAX_EVIDENCE, TextConfig
from specspan.checks.detectors.overlap import letters_of
from specspan.checks.detectors.text_check import TextCheck
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "citations"

Look: TypeAlias = Literal["sources", "quotations", "presence"]
_ELLIPSIS = re.compile(r"\s*(?:…|\.\.\.|\[…\]|\[\.\.\.\])\s*")


class CitationsConfig(TextConfig):
    """Configuration under ``citations`` in a policy file."""

    look: list[Look] = Field(default=["sources", "quotations"], min_length=1)
    """What is looked at: named sources are among the documents, quotations stand in them, there is a source at all."""
    min_words: int = Field(default=4, ge=1)
    """Words of a text in quotation marks from which on it is a quotation."""


SCHEMA = hoist_definitions(
    {
        **CitationsConfig.model_json_schema(),
        "description": "named sources are among the documents, and quotations stand in them",
        "examples": [{"look": ["sources", "quotations"]}, {"look": ["presence"]}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``citations`` in a policy file."""
    config = CitationsConfig.model_validate(configuration if configuration is not None else {})
    if config.stage is not Stage.OUTPUT:
        raise CheckConfigError("only an answer cites", "Use the stage `output`.", "stage")
    traits = CheckTraits(
        config.stage,
        reads_roles=config.read_roles(),
        needs=frozenset((Side.INPUT, Side.OUTPUT)),
        accepts_timeout=False,
    )
    ref = CheckRef(config.name or KIND, CheckMechanism.CODE, config.version)
    return TextCheck(ref, traits, lambda call, texts: _decide(config, call, texts))


def _decide(config: CitationsConfig, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
    documents = documents_of(call)
    if not documents.number:
        return None
    found = [each for text in texts for each in _violations(config, documents, text)]
    if found:
        places = dict.fromkeys(place for _, evidence in found for place in evidence)
        return Finding(Outcome.VIOLATED, found[0][0], len(found), evidence=tuple(places)[:MAX_EVIDENCE])
    if "presence" in config.look and not any(any(citations_in(text.text)) for text in texts):
        return Finding(Outcome.VIOLATED, "no_source")
    return True


def _violations(
    config: CitationsConfig, documents: Documents, text: TextAt
) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    if "sources" in config.look:
        for cited in citations_in(text.text):
            if cited.value not in documents.ids:
                yield "unknown_source", text.evidence(cited.start, cited.end)
    if "quotations" in config.look:
        for quoted in quotations_in(text.text, config.min_words):
            if not all(letters_of(piece) in documents.letters for piece in _ELLIPSIS.split(quoted.value)):
                yield "quotation_not_found", text.evidence(quoted.start, quoted.end)
