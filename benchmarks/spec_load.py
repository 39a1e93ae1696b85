"""Time of large specs: 10,000 clauses load in two seconds, and those without a check cost a call nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, best_us, medians_us
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.load import load_policy
from specspan.spec.read import load_spec
from specspan.spec.write import write_spec

_CLAUSES = 10_000
_BOUND = 100
_ALLOWED_US = 2_000_000.0
_SECTION = "# Title {0} {{#c{0} authority=user}}\n\nNever say word{0}. See [?](#c0).\n\n"
_CALL = ModelCall(
    Request("test", input=(Message("user", (Text("a question " * 180),)),)),
    Response(output=(Message("assistant", (Text("an answer " * 200),)),)),
)


def main() -> Iterator[Row]:
    """Measure each format beside the two seconds allowed; then one call under 10,000 clauses beside one under 100."""
    with tempfile.TemporaryDirectory() as folder:
        markdown = Path(folder) / "spec.md"
        markdown.write_text(_spec(_CLAUSES), encoding="utf-8")
        spec = load_spec(markdown)
        for form in ("markdown", "yaml", "json", "jsonl"):
            path = Path(folder) / f"spec.{form}"
            path.write_text(write_spec(spec, form), encoding="utf-8")
            yield Row(f"10,000 clauses of {form} (2 s)", best_us(partial(load_spec, path)), _ALLOWED_US, 1.0)
        few, many = (_deciding(Path(folder), clauses) for clauses in (_BOUND, _CLAUSES))
        medians = medians_us({"few": few, "many": many})
        yield Row("a call, 100 of 10,000 checked (or 100)", medians["many"], medians["few"], 1.1)


def _spec(clauses: int) -> str:
    return "".join(_SECTION.format(number) for number in range(clauses))


def _deciding(folder: Path, clauses: int) -> Callable[[], object]:
    """Return one call under a spec of so many clauses, of which the first hundred are checked."""
    (folder / f"{clauses}.md").write_text(_spec(clauses), encoding="utf-8")
    bound = "".join(rf"  c{n}: {{checks: [{{pattern: '\bword{n}\b'}}]}}" + "\n" for n in range(_BOUND))
    policy = folder / f"{clauses}.yaml"
    policy.write_text(f"spec: {clauses}.md\nclauses:\n{bound}", encoding="utf-8")
    engine = Engine(load_policy(policy))

    def decide() -> object:
        evaluation = engine.open()
        run_sync(evaluation.input(_CALL))
        run_sync(evaluation.output(_CALL))
        return evaluation.decide()

    return decide
