"""Precision and recall of the ready-made checks on the corpus, beside other people's detectors on the same texts.

``python -m benchmarks.checks_quality`` prints a table in Markdown. ``--peers FOLDER`` makes an environment for each of
the others in a folder, installs it there and runs it on the same texts; who cannot be run is named with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.check_corpus import ours
from benchmarks.check_corpus.corpus import Labelled, corpus, count_by_entity, digest

_PEERS = Path(ours.__file__).with_name("peers.py")
_INSTALLED = {
    "presidio": ("presidio-analyzer",),
    "openai-guardrails": ("openai-guardrails",),
}
"""What is installed for each."""
_NOT_RUN = {
    "llm-guard": "it installs torch and transformers (some gigabytes), and downloads a model for nearly each scanner "
    "when it is first used"
}
_FINDS = {
    "presidio": ("card", "iban", "national_id", "email", "phone"),
    "openai-guardrails": ("secret",),
}
_LIMIT_S = 900


@dataclass(frozen=True, slots=True)
class Score:
    """How well one entity is found."""

    hits: int
    found: int
    there: int
    us: float
    """Processor time for each text, in microseconds."""

    def __str__(self) -> str:
        precision = f"{self.hits / self.found:.0%}" if self.found else "–"
        return f"{precision} / {self.hits / self.there:.0%} / {self.us:.0f} µs"


@dataclass(frozen=True, slots=True)
class Peer:
    """Results of somebody else's detectors."""

    name: str
    scores: Mapping[str, Score]
    problem: str | None = None


def score(entity: str, texts: Sequence[Labelled], found: Sequence[bool], us: float) -> Score:
    """Return how well an entity was found."""
    there = [entity in each.entities for each in texts]
    hits = sum(was_found and is_there for was_found, is_there in zip(found, there, strict=True))
    return Score(hits, sum(found), sum(there), us)


def measure_ours(texts: Sequence[Labelled]) -> dict[str, Score]:
    """Run every check over every text."""
    scores = {}
    for entity, find in ours.checks().items():
        find(texts[0].text)
        started_ns = time.process_time_ns()
        found = [bool(find(each.text)) for each in texts]
        scores[entity] = score(entity, texts, found, (time.process_time_ns() - started_ns) / 1000 / len(texts))
    return scores


def measure_peer(name: str, texts: Sequence[Labelled], folder: Path) -> Peer:
    """Run somebody else's detectors over every text, in an environment of their own."""
    python = folder / name / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder / name, with_pip=True)
            _run([str(python), "-m", "pip", "install", "-q", *_INSTALLED[name]])
        output = _run([str(python), str(_PEERS), name], json.dumps([each.text for each in texts]))
    except subprocess.SubprocessError as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        return Peer(name, {}, lines[-1] if lines else "failed")
    result = json.loads(output)
    scores = {
        entity: score(entity, texts, [entity in each for each in result["found"]], result["us"])
        for entity in _FINDS[name]
    }
    return Peer(f"{name} {result['version']}", scores)


def _run(arguments: Sequence[str], text: str | None = None) -> str:
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    return done.stdout


def report(texts: Sequence[Labelled], scores: Mapping[str, Score], peers: Sequence[Peer]) -> str:
    """Return the results as a table in Markdown."""
    run = [peer for peer in peers if peer.problem is None]
    lines = [
        f"{len(texts):,} texts in {len({each.language for each in texts})} languages; precision / recall / time.",
        "",
        "| entity | texts | specspan | " + "".join(f"{peer.name} | " for peer in run),
        "|---|---|---|" + "---|" * len(run),
    ]
    counts = count_by_entity(list(texts))
    for entity, each in scores.items():
        others = "".join(f" {peer.scores.get(entity, '–')} |" for peer in run)
        lines.append(f"| {entity} | {counts[entity]} | {each} |{others}")
    lines += [f"\n{peer.name} was not run: {peer.problem}" for peer in peers if peer.problem is not None]
    return "\n".join(lines)


def by_language(texts: Sequence[Labelled]) -> str:
    """Return the recall of each check in each language as a table in Markdown."""
    languages = sorted({each.language for each in texts})
    lines = ["| entity | " + " | ".join(languages) + " |", "|---|" + "---|" * len(languages)]
    for entity, find in ours.checks().items():
        cells = []
        for language in languages:
            there = [each for each in texts if each.language == language and entity in each.entities]
            cells.append(f"{sum(bool(find(each.text)) for each in there)}/{len(there)}" if there else "–")
        lines.append(f"| {entity} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run() -> None:
    """Print the tables of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="folder for the environments of the others")
    options = parser.parse_args()
    texts = corpus()
    peers = [measure_peer(name, texts, options.peers) for name in _FINDS] if options.peers else []
    peers += [Peer(name, {}, reason) for name, reason in _NOT_RUN.items()]
    sys.stdout.write(
        f"{report(texts, measure_ours(texts), peers)}\n\n{by_language(texts)}\n\ncorpus: {digest(texts)}\n"
    )


if __name__ == "__main__":
    run()
