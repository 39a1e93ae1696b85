"""Check of personal data by Microsoft Presidio: its recognisers, its languages, its names of entities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall
from specspan.checks.check import CheckConfigError, CheckResult, CheckTraits, Redaction, TextAt
from specspan.checks.detectors.detector import Match
from specspan.checks.detectors.detector_check import MAX_EVIDENCE, NEEDED_SIDES, DetectorConfig, Exemption, Style
from specspan.checks.detectors.requirements import require
from specspan.decision import CheckRef, Evidence, Finding, Outcome

WINDOW_CHARS = 20_000
"""Longest piece of a text that is analysed at once: models of languages refuse long texts."""
_OVERLAP_CHARS = 200


class PresidioConfig(BaseModel):
    """Options of an analysis by Presidio."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    language: str = "en"
    model: str | None = None
    """Installed spaCy model, such as ``en_core_web_sm``, for names; without it only recognisers by pattern run."""
    entities: list[str] | None = Field(default=None, min_length=1)
    """Presidio's names, such as ``PERSON``; by default all that it knows in the language."""
    threshold: float = Field(default=0.4, ge=0, le=1)
    """Score below which a result does not count."""


@dataclass(frozen=True, slots=True)
class PresidioCheck:
    """Check that Presidio finds nothing in a text."""

    ref: CheckRef
    traits: CheckTraits
    analyzer: Any
    options: PresidioConfig
    is_exempt: Exemption
    style: Style

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Have every text analysed."""
        found = [(text, match, score) for text in texts for match, score in self._matches(text)]
        if not found:
            return True
        evidence = (place for text, match, _ in found for place in text.evidence(match.start, match.end))
        best = max(score for _, _, score in found)
        return Finding(Outcome.VIOLATED, found[0][1].label, best, evidence=_first(evidence))

    def redactions(self, call: ModelCall, texts: Sequence[TextAt]) -> Iterable[Redaction]:
        """Yield every place to redact, and what takes its place."""
        for text in texts:
            for match, _ in self._matches(text):
                substitute, is_reversible = self.style(text.text, match)
                for place in text.evidence(match.start, match.end):
                    yield Redaction(place, match.label, substitute, is_reversible)

    def _matches(self, text: TextAt) -> Iterator[tuple[Match, float]]:
        seen = set[tuple[int, int]]()
        for at in range(0, max(len(text.text), 1), WINDOW_CHARS - _OVERLAP_CHARS):
            results = self.analyzer.analyze(
                text=text.text[at : at + WINDOW_CHARS],
                language=self.options.language,
                entities=self.options.entities,
                score_threshold=self.options.threshold,
            )
            for each in sorted(results, key=lambda result: (result.start, -result.score)):
                match = Match(at + each.start, at + each.end, each.entity_type.lower())
                matched = text.text[match.start : match.end]
                if (match.start, match.end) not in seen and not self.is_exempt(matched, match.label, may_grow=False):
                    seen.add((match.start, match.end))
                    yield match, float(each.score)


def presidio_check(
    config: DetectorConfig, options: PresidioConfig, ref: CheckRef, is_exempt: Exemption, style: Style
) -> PresidioCheck:
    """Return a check by Presidio. It runs on a worker's thread and reads whole texts.

    Raises:
        CheckConfigError: Presidio or the model is not installed. No model is downloaded.
    """
    traits = CheckTraits(
        config.stage, reads_roles=config.read_roles(), needs=NEEDED_SIDES[config.stage], timeout_s=_TIMEOUT_S
    )
    return PresidioCheck(ref, traits, _analyzer(options), options, is_exempt, style)


_TIMEOUT_S = 5.0


def _analyzer(options: PresidioConfig) -> Any:
    analyzer = require("presidio_analyzer", "presidio-analyzer", "`pii` with `presidio`", "presidio", "presidio")
    engine = require("presidio_analyzer.nlp_engine", "presidio-analyzer", "`pii` with `presidio`", "presidio")
    language = options.language
    registry = analyzer.RecognizerRegistry(supported_languages=[language])
    if options.model is None:
        nlp_engine = _blank_engine(engine, language)
    else:
        _require_model(options.model)
        models = [{"lang_code": language, "model_name": options.model}]
        nlp_engine = engine.NlpEngineProvider(
            nlp_configuration={"nlp_engine_name": "spacy", "models": models}
        ).create_engine()
    registry.load_predefined_recognizers(languages=[language], nlp_engine=nlp_engine)
    return analyzer.AnalyzerEngine(registry=registry, nlp_engine=nlp_engine, supported_languages=[language])


def _blank_engine(engine: Any, language: str) -> Any:
    """Return an engine that only splits words, for which no model is needed."""
    spacy = require("spacy", "spacy", "`pii` with `presidio`", "presidio", "presidio")
    blank = engine.SpacyNlpEngine(models=[{"lang_code": language, "model_name": "blank"}])
    blank.nlp = {language: spacy.blank(language)}
    return blank


def _require_model(model: str) -> None:
    spacy = require("spacy", "spacy", "`pii` with `presidio`", "presidio", "presidio")
    if not spacy.util.is_package(model):
        raise CheckConfigError(
            f"the spaCy model {model!r} is not installed, and none is downloaded",
            f"Run: python -m spacy download {model}",
            "presidio.model",
        )


def _first(evidence: Iterator[Evidence]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))[:MAX_EVIDENCE]
