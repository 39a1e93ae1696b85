"""Whole cost of a model call, with all that its recording leaves for background threads, exit by exit.

``python -m benchmarks.whole_cost`` prints a table; ``--write docs/costs.md`` puts it into the page. Every configuration
runs in a process of its own, beside the client alone and beside other instrumentations that are installed; they take
turns of some calls each, many rounds of them, and turns of a round are compared with each other. The receiver of OTLP
runs in this process, so that its own work is not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cost import policies, sink

_BEGIN, _END = "<!-- table of benchmarks.whole_cost -->\n", "<!-- end of the table -->\n"
_MEASURES = ("loop", "server")
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


@contextmanager
def start(configuration: Configuration, what: str, options: argparse.Namespace) -> Iterator[Measured]:
    """Start the process that measures one configuration; end it when left."""
    with tempfile.TemporaryDirectory() as place, sink.receive() as (endpoint, counts):
        command = [sys.executable, "-m", "benchmarks.cost.process", configuration.setup, what, "--folder", place]
        command += ["--endpoint", endpoint, "--seconds", str(options.seconds), "--rate", str(options.rate)]
        command += configuration.write_policy(Path(place) / "policy")
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            yield Measured(configuration.name, process, counts)


@dataclass(frozen=True, slots=True)
class Measured:
    """Process that measures one configuration."""

    name: str
    process: subprocess.Popen[str]
    received: Mapping[str, int]
    """What the receiver counted."""

    def next_line(self) -> dict[str, Any]:
        """Return what the process prints next.

        Raises:
            SystemExit: it failed.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: {self.process.communicate()[1]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def take_turn(self, calls: int) -> dict[str, Any]:
        """Have it make some calls, and return what they took."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        return self.next_line()

    def finish(self) -> dict[str, Any]:
        """Let it end; return what it measured, stored and lost, and what the receiver counted."""
        printed, errors = self.process.communicate()
        if self.process.returncode:
            raise SystemExit(f"{self.name}: {errors}")
        return {**json.loads(printed.splitlines()[-1]), "received": dict(self.received)}


def measure_costs(chosen: Sequence[Configuration], options: argparse.Namespace) -> dict[str, Costs]:
    """Measure configurations in rounds, with a turn of some calls for each; leave out what is not installed."""
    with ExitStack() as stack:
        started = [stack.enter_context(start(each, "cost", options)) for each in chosen]
        there = [each for each in started if "missing" not in each.next_line()]
        turns: dict[str, list[dict[str, Any]]] = {each.name: [] for each in there}
        for number in range(options.rounds):
            for each in there:
                turns[each.name].append(each.take_turn(options.calls))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        return {each.name: Costs(turns[each.name], each.finish()) for each in there}


@dataclass(frozen=True, slots=True)
class Costs:
    """Turns of one configuration, and what it stored and lost in all of them."""

    turns: Sequence[Mapping[str, float]]
    end: Mapping[str, Any]

    def ratio_to(self, other: Costs) -> float:
        """Return the processor time of a call as a multiple of another configuration's: the median over the rounds.

        Turns of one round follow each other at once, so what else the machine does weighs on both.
        """
        pairs = zip(self.turns, other.turns, strict=True)
        return statistics.median(one["cpu_us"] / base["cpu_us"] for one, base in pairs)


def run(options: argparse.Namespace) -> list[tuple[str, ...]]:
    """Measure every configuration, in turns, and return the rows of the table, without what is not installed."""
    named = re.compile(options.only)
    chosen = [
        each
        for each in configurations(options.spec, options.growth)
        if each.setup == "alone" or named.search(each.name)
    ]
    costs = measure_costs(chosen, options)
    chosen = [each for each in chosen if each.name in costs]
    steady: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(options.steady_rounds):
        for each in chosen:
            for what in dict.fromkeys(options.measures):
                with start(each, what, options) as measured:
                    steady.setdefault((each.name, what), []).append(measured.finish())
                print(f"{each.name}: {what}", file=sys.stderr)
    alone = costs["the client alone"]
    rows = []
    for each in chosen:
        results = {what: steady.get((each.name, what), []) for what in _MEASURES}
        base = costs.get(f"{each.name.partition(',')[0]}, no policy") if each.clauses else None
        rows.append((each.name, *_figures(costs[each.name], results, alone, base)))
    return rows


def _figures(
    cost: Costs, steady: Mapping[str, Sequence[Mapping[str, Any]]], alone: Costs, base: Costs | None
) -> Iterator[str]:
    yield f"{cost.ratio_to(alone):.2f}"
    yield "" if base is None else f"{cost.ratio_to(base):.2f}"
    end = cost.end
    received = end["received"]
    sent, plain = (received.get(key, 0) / end["calls"] for key in ("bytes", "plain_bytes"))
    on_disk = end["bytes"] / end["calls"]
    yield f"{on_disk:,.0f} on disk" if on_disk else f"{sent:,.0f} sent ({plain:,.0f} plain)" if sent else ""
    items = {key.removesuffix("_rows"): end[key] for key in end if key.endswith("_rows")}
    items |= {key: received[key] for key in ("spans", "log_records") if key in received}
    yield ", ".join(f"{key.replace('_', ' ')} {count / end['calls']:.3g}" for key, count in items.items() if count)
    losses = [end.get("drops", {}), *(result.get("drops", {}) for taken in steady.values() for result in taken)]
    yield "; ".join(sorted({f"{key} {count}" for each in losses for key, count in each.items()})) or "0"
    yield f"{_median(cost.turns, 'wall_us'):,.0f}"
    late = [f"late_{key}_ms" for key in ("p50", "p99", "worst")]
    yield ", ".join(f"{_median(steady['loop'], key):.1f}" for key in late) if steady["loop"] else ""
    yield f"{_median(steady['server'], 'server_p99_ms'):.1f}" if steady["server"] else ""


def _median(results: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(float(result[key]) for result in results)


def _as_markdown(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| | {' | '.join(_HEADINGS)} |", "|---" * (len(_HEADINGS) + 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main_command(arguments: list[str]) -> None:
    """Measure, print the table, and write it into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200, help="calls at full speed of one turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="time at a steady rate")
    parser.add_argument("--rate", type=float, default=150.0, help="calls a second")
    parser.add_argument("--rounds", type=int, default=25, help="turns of each configuration: the median counts")
    parser.add_argument("--steady-rounds", type=int, default=1, help="of lateness at a steady rate: the median counts")
    parser.add_argument("--measures", nargs="*", choices=_MEASURES, default=_MEASURES, help="besides the cost")
    parser.add_argument("--spec", type=Path, help="file of the Model Spec")
    parser.add_argument(
        "--only", default="", help="rows whose names this regular expression finds, and the client alone"
    )
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
