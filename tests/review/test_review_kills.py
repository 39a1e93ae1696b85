"""No ruling is lost or made twice: 8 reviewers and 4 services on one queue, some of them killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from backends import eventually
from review_application import EACH, REVIEWERS, SERVICES

from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewState

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "review_application.py"


@pytest.mark.thorough
def test_no_ruling_is_lost_or_made_twice(db: str, queue: ReviewQueue, tmp_path: Path) -> None:
    """Every task has two rulings of two reviewers, and every ruling that was accepted is on record."""
    running: list[subprocess.Popen[bytes]] = []
    outputs: list[Path] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        outputs.append(tmp_path / f"{len(outputs)}.out")
        with outputs[-1].open("wb") as output:
            running.append(subprocess.Popen([sys.executable, str(PROGRAM), *words], stdout=output))
        return running[-1]

    def accepted() -> list[str]:
        return [line for output in outputs for line in output.read_text().splitlines() if len(line) == 36]

    try:
        services = [start("serve", db, str(number)) for number in range(SERVICES)]
        reviewers = [start("review", db, f"r{number}") for number in range(REVIEWERS)]
        eventually(lambda: len(accepted()) > 10, 120, "some rulings")
        for killed in (services[0], *reviewers[:3]):
            killed.kill()
            killed.wait(10)
        again = [start("serve", db, "0"), *(start("review", db, f"r{number}") for number in range(3))]
        for process in (*services[1:], *reviewers[3:], *again):
            assert process.wait(240) == 0
    finally:
        for process in running:
            process.kill()
            process.wait(10)
    ruled = queue.ruled()
    assert len(ruled) == SERVICES * EACH
    assert queue.counts()[ReviewState.RULED] == SERVICES * EACH
    for each in ruled:
        names = [ruling.reviewer for ruling in each.rulings]
        assert len(names) == len(set(names)) == 2 == each.task.wanted_rulings
        assert list(each.task.ruled_by) == names
        numbers = [event.number for event in queue.history(each.task.id, "x")]
        assert numbers == list(range(1, len(numbers) + 1))
    ids = {ruling.id for each in ruled for ruling in each.rulings}
    assert len(ids) == 2 * SERVICES * EACH
    assert set(accepted()) <= ids
