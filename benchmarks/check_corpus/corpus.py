"""The corpus: every text with what stands in it, the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random

from benchmarks.check_corpus.made_data import (
    NATIONAL_IDS,
    ODD,
    PHONES,
    card,
    digits,
    iban_of,
    mailbox,
    token,
    unchanged,
    wrong,
)
from benchmarks.check_corpus.templates import HARD, LANGUAGES

SEED = 20261130
PER_ENTITY = 12
PLAIN = 30
ODD_ONE_OF = 4
"""Of so many texts with an entity, one has it written in an odd way."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Text of the corpus."""

    text: str
    language: str
    entities: tuple[str, ...]
    """Entities that stand in it; empty for a text without any."""


def corpus(seed: int = SEED) -> list[Labelled]:
    """Return all texts, in random order."""
    random = Random(seed)
    texts = [each for language in LANGUAGES for each in _texts(language, random)]
    random.shuffle(texts)
    return texts


def digest(texts: list[Labelled]) -> str:
    """Return the SHA-256 of a corpus."""
    return hashlib.sha256(json.dumps([asdict(each) for each in texts], ensure_ascii=False).encode()).hexdigest()


def _texts(language: str, random: Random) -> Iterator[Labelled]:
    words = LANGUAGES[language]
    makers: dict[str, Callable[[Random], str]] = {
        "card": card,
        "iban": iban_of,
        "email": mailbox,
        "phone": PHONES[language],
        "address": lambda random: random.choice(words.addresses),
        "secret": token,
    }
    if language in NATIONAL_IDS:
        name, draw = NATIONAL_IDS[language]
        makers["national_id"] = lambda random: f"{name} {draw(random)}"
    for entity, make in makers.items():
        for number in range(PER_ENTITY):
            datum = make(random)
            if number % ODD_ONE_OF == 0:
                datum = ODD.get(entity, unchanged)(datum)
            sentence = random.choice(words.carriers).format(datum)
            yield Labelled(_around(sentence, words.plain, random), language, (entity,))
    for entity, sentences in (("injection", words.injections), ("refusal", words.refusals)):
        for number in range(PER_ENTITY // 2):
            sentence = sentences[number % len(sentences)]
            plain = random.choice(words.plain)
            ordered = (plain, sentence) if entity == "injection" else (sentence, plain)
            yield Labelled(" ".join(ordered), language, (entity,))
    for number in range(PLAIN):
        hard = _hard(HARD[(number + len(language)) % len(HARD)], random)
        sentence = random.choice(words.carriers).format(hard) if number % 3 else random.choice(words.plain)
        yield Labelled(_around(sentence, words.plain, random), language, ())


def _hard(template: str, random: Random) -> str:
    return template.format(
        order=digits(random, 10),
        small=random.randrange(100),
        day=random.randrange(1, 29),
        wrong=wrong(digits(random, 7)),
        nine=digits(random, 9),
        eleven=digits(random, 11),
        thirteen=digits(random, 13),
        sixteen=digits(random, 16),
        wrong_card=wrong(card(random)),
        wrong_iban=wrong(iban_of(random)),
    )


def _around(sentence: str, plain: object, random: Random) -> str:
    others = list(plain) if isinstance(plain, tuple) else []
    return " ".join(random.sample([sentence, random.choice(others)], k=2))


def count_by_entity(texts: list[Labelled]) -> Mapping[str, int]:
    """Return the number of texts with each entity; those without any under an empty name."""
    counts: dict[str, int] = {}
    for each in texts:
        for entity in each.entities or ("",):
            counts[entity] = counts.get(entity, 0) + 1
    return counts
