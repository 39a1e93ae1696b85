"""The labelled corpus on which ready-made checks are measured."""

from __future__ import annotations

import pytest
from benchmarks.check_corpus.corpus import Labelled, corpus, count_by_entity, digest
from benchmarks.checks_quality import measure_ours, report, score

TEXTS = corpus()


def test_it_is_the_same_everywhere() -> None:
    """The published table names this digest: whoever changes the corpus measures again."""
    assert digest(TEXTS) == "14d26251b700b9663a4e01970d8c9f727b5806a630e91a81e50d3db3f412353d"
    assert corpus(1) != TEXTS


def test_it_is_large_enough_and_speaks_twelve_languages() -> None:
    """With texts in which nothing stands."""
    counts = count_by_entity(TEXTS)
    assert len(TEXTS) >= 1000
    assert len({each.language for each in TEXTS}) == 12
    assert min(counts.values()) >= 72
    assert counts[""] >= 300


def test_precision_and_recall_are_counted_by_text() -> None:
    """A text that was found and has it is a hit."""
    texts = [Labelled("", "en", ("card",)), Labelled("", "en", ()), Labelled("", "en", ("card", "iban"))]
    found = score("card", texts, [True, True, False], 2.0)
    assert (found.hits, found.found, found.there) == (1, 2, 2)
    assert str(found) == "50% / 50% / 2 µs"
    assert "| card | 2 | 50% / 50% / 2 µs |" in report(texts, {"card": found}, [])


@pytest.mark.thorough
def test_the_checks_are_as_good_as_their_page_says() -> None:
    """At least: a rule that finds less, or finds what is not there, is seen here."""
    for entity, found in measure_ours(TEXTS).items():
        assert found.hits / found.found >= 0.97, entity
        assert found.hits / found.there >= 0.70, entity
