"""Whole cost of a model call, with all that its recording leaves for background threads, exit by exit.

``python -m benchmarks.whole_cost`` prints a table; ``--write docs/costs.md`` puts it into the page. Every configuration
runs in a process of its own, all of them in turns in one run, beside the client alone and beside other instrumentations
that are installed. The receiver of OTLP runs in this process, so that its own work is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cost import policies, sink

_BEGIN, _END = "<!-- table of benchmarks.whole_cost -->\n", "<!-- end of the table -->\n"
_MEASURES = ("cost", "loop", "server")
_HEADINGS = (
    "processor time, × the client alone",
    "× without a policy",
    "bytes a call",
    "rows or records a call",
    "dropped",
    "µs a call at full speed",
    "loop late, ms: p50, p99, worst",
    "server p99, ms",
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Row of the table."""

    name: str
    setup: str
    """Name of a set-up of `benchmarks.cost.setups`."""
    clauses: int = 0
    violated: int = 0
    spec: Path | None = None
    """Spec whose first clauses are bound, in place of one that is made."""

    def write_policy(self, folder: Path) -> list[str]:
        """Write the policy into a new folder; return the arguments that name it."""
        if not self.clauses:
            return []
        folder.mkdir()
        if self.spec is not None:
            return ["--policy", str(policies.write_model_spec_policy(folder, self.spec.absolute(), self.clauses))]
        return ["--policy", str(policies.write_policy(folder, self.clauses, self.violated))]


def configurations(spec: Path | None, growth: bool) -> Iterator[Configuration]:
    """Yield the rows: the client alone, others, each exit of specspan's, and what grows with clauses."""
    yield Configuration("the client alone", "alone")
    yield Configuration("OpenTelemetry's own, OTLP", "opentelemetry")
    yield Configuration("OpenInference, OTLP", "openinference")
    yield Configuration("OpenLLMetry, OTLP", "openllmetry")
    for label, setup in (("nothing exported", "nowhere"), ("SQLite", "sqlite"), ("OTLP", "otlp"), ("JSONL", "jsonl")):
        yield Configuration(f"{label}, no policy", setup)
        yield Configuration(f"{label}, 100 clauses", setup, 100)
        if setup in ("sqlite", "otlp"):
            yield Configuration(f"{label}, 100 clauses, one violated", setup, 100, 1)
            if spec is not None:
                yield Configuration(f"{label}, 30 clauses of the Model Spec", setup, 30, 0, spec)
    if growth:
        for clauses in (1, 10, 1000):
            yield Configuration(f"SQLite, {clauses:,} clause{'s' * (clauses > 1)}", "sqlite", clauses)


def measure(configuration: Configuration, what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a process of its own measures, with what the receiver counted."""
    with tempfile.TemporaryDirectory() as place, sink.receive() as (endpoint, counts):
        folder = Path(place)
        command = [sys.executable, "-m", "benchmarks.cost.process", configuration.setup, what, "--folder", place]
        command += ["--endpoint", endpoint, "--calls", str(options.calls), "--seconds", str(options.seconds)]
        command += ["--rate", str(options.rate), *configuration.write_policy(folder / "policy")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{configuration.name}: {done.stderr}")
        return {**json.loads(done.stdout.splitlines()[-1]), "received": dict(counts)}


def run(options: argparse.Namespace) -> list[tuple[str, ...]]:
    """Measure every configuration, in turns, and return the rows of the table, without what is not installed."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    chosen = list(configurations(options.spec, options.growth))
    measures = dict.fromkeys(("cost", *options.measures))
    pieces = [
        (each, what)
        for number in range(options.rounds)
        for each in chosen
        for what in measures
        if what == "cost" or number < options.steady_rounds
    ]
    with ThreadPoolExecutor(options.parallel) as pool:
        results_of = pool.map(lambda piece: measure(piece[0], piece[1], options), pieces)
        for (each, what), result in zip(pieces, results_of, strict=True):
            found.setdefault((each.name, what), []).append(result)
            print(f"{each.name}: {what}", file=sys.stderr)
    alone_us = _least(found["the client alone", "cost"])
    rows = []
    for each in chosen:
        results = {what: found.get((each.name, what), []) for what in _MEASURES}
        if "missing" in results["cost"][0]:
            continue
        base = found.get((f"{each.name.partition(',')[0]}, no policy", "cost")) if each.clauses else None
        rows.append((each.name, *_figures(results, alone_us, None if base is None else _least(base))))
    return rows


def _figures(
    results: Mapping[str, Sequence[Mapping[str, Any]]], alone_us: float, base_us: float | None
) -> Iterator[str]:
    cost, cpu_us = results["cost"][-1], _least(results["cost"])
    yield f"{cpu_us / alone_us:.2f}"
    yield "" if base_us is None else f"{cpu_us / base_us:.2f}"
    received = cost["received"]
    sent, plain = (received.get(key, 0) / cost["calls"] for key in ("bytes", "plain_bytes"))
    on_disk = cost["bytes"] / cost["calls"]
    yield f"{on_disk:,.0f} on disk" if on_disk else f"{sent:,.0f} sent ({plain:,.0f} plain)" if sent else ""
    items = {key.removesuffix("_rows"): cost[key] for key in cost if key.endswith("_rows")}
    items |= {key: received[key] for key in ("spans", "log_records") if key in received}
    yield ", ".join(f"{key.replace('_', ' ')} {count / cost['calls']:.3g}" for key, count in items.items() if count)
    losses = [result.get("drops", {}) for taken in results.values() for result in taken]
    yield "; ".join(sorted({f"{key} {count}" for each in losses for key, count in each.items()})) or "0"
    yield f"{_median(results['cost'], 'wall_us'):,.0f}"
    late = [f"late_{key}_ms" for key in ("p50", "p99", "worst")]
    yield ", ".join(f"{_median(results['loop'], key):.1f}" for key in late) if results["loop"] else ""
    yield f"{_median(results['server'], 'server_p99_ms'):.1f}" if results["server"] else ""


def _median(results: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(float(result[key]) for result in results)


def _least(results: Sequence[Mapping[str, Any]]) -> float:
    """Return the least processor time: what disturbs a run only adds to it."""
    return min(float(result.get("cpu_us", "inf")) for result in results)


def _as_markdown(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| | {' | '.join(_HEADINGS)} |", "|---" * (len(_HEADINGS) + 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main_command(arguments: list[str]) -> None:
    """Measure, print the table, and write it into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, help="calls at full speed")
    parser.add_argument("--seconds", type=float, default=5.0, help="time at a steady rate")
    parser.add_argument("--rate", type=float, default=150.0, help="calls a second")
    parser.add_argument("--rounds", type=int, default=3, help="of processor time, of which the least counts")
    parser.add_argument("--steady-rounds", type=int, default=1, help="of lateness at a steady rate: the median counts")
    parser.add_argument(
        "--parallel", type=int, default=1, help="processes at a time: more on a machine that is busy anyway"
    )
    parser.add_argument("--measures", nargs="+", choices=_MEASURES, default=_MEASURES, help="besides the cost")
    parser.add_argument("--spec", type=Path, help="file of the Model Spec")
    parser.add_argument("--growth", action="store_true", help="also 1, 10 and 1,000 clauses")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args(arguments)
    table = _as_markdown(run(options))
    print(table)
    if options.write is not None:
        page = options.write.read_text(encoding="utf-8")
        head, _, rest = page.partition(_BEGIN)
        _, _, tail = rest.partition(_END)
        options.write.write_text(f"{head}{_BEGIN}\n{table}\n{_END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main_command(sys.argv[1:])
