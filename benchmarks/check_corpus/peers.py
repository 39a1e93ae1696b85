"""Other people's detectors over texts, run by an interpreter of their own: reads texts as JSON, writes what was found.

``python peers.py presidio|openai-guardrails < texts.json > found.json``. It imports nothing of specspan.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module, metadata
from typing import Any

_ENTITIES = {"CREDIT_CARD": "card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone"}
_OTHERS = frozenset(
    ("LOCATION", "PERSON", "NRP", "DATE_TIME", "URL", "IP_ADDRESS", "CRYPTO", "ORGANIZATION", "MEDICAL_LICENSE")
)


def main(name: str) -> None:
    """Run one detector over the texts of standard input."""
    package, make = _PEERS[name]
    find = make()
    texts = json.load(sys.stdin)
    find(texts[0])
    started_ns = time.process_time_ns()
    found = [sorted(find(text)) for text in texts]
    spent_ns = time.process_time_ns() - started_ns
    json.dump({"version": metadata.version(package), "us": spent_ns / 1000 / len(texts), "found": found}, sys.stdout)


def _presidio() -> Callable[[str], Iterable[str]]:
    analyzer, spacy = import_module("presidio_analyzer"), import_module("spacy")
    engine = import_module("presidio_analyzer.nlp_engine").SpacyNlpEngine(
        models=[{"lang_code": "en", "model_name": "-"}]
    )
    engine.nlp = {"en": spacy.blank("en")}
    registry = analyzer.RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    analysis = analyzer.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    return lambda text: _known(
        each.entity_type for each in analysis.analyze(text=text, language="en", score_threshold=0.4)
    )


def _openai_guardrails() -> Callable[[str], Iterable[str]]:
    module = import_module("guardrails.checks.text.secret_keys")
    config = module.SecretKeysCfg(threshold="balanced")

    def find(text: str) -> Iterable[str]:
        result: Any = asyncio.run(module.secret_keys(None, text, config))
        return ("secret",) if result.tripwire_triggered else ()

    return find


def _known(entities: Iterable[str]) -> set[str]:
    return {_ENTITIES.get(each, "national_id") for each in entities if each not in _OTHERS}


_PEERS: dict[str, tuple[str, Callable[[], Callable[[str], Iterable[str]]]]] = {
    "presidio": ("presidio-analyzer", _presidio),
    "openai-guardrails": ("openai-guardrails", _openai_guardrails),
}

if __name__ == "__main__":
    main(sys.argv[1])
