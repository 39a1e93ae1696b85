"""`specspan policy init`: first policy for a spec."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click

from specspan.checks.registry import kinds
from specspan.cli.prices import calculate_cost
from specspan.cli.terminal import write_new_file
from specspan.policy.judge_plan import JudgeLoad, estimate_load, plan_checks
from specspan.policy.published_schema import SCHEMA_FILE, schema_text
from specspan.policy.template import starting_policy
from specspan.spec.read import load_spec
from specspan.sqlite.model import ModelUsage


@click.command("init")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file that is not there yet.")
@click.option(
    "--judge", "model", metavar="MODEL", help="Bind a check to every clause, a judge such as openai:gpt-5-mini."
)
@click.option(
    "--ready-made", is_flag=True, help="Switch on the ready-made checks that are proposed by a clause's words."
)
@click.option(
    "--call-tokens",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Tokens of a call, question and answer, for the estimate of what judges cost.",
)
@click.option(
    "--tool-calls",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Share of calls in which a tool is called, for the same.",
)
def command(
    spec: Path, output: Path | None, model: str | None, ready_made: bool, call_tokens: int, tool_calls: float
) -> None:
    """Print a first policy for a spec.

    It names every clause that binds somebody, observes, and changes nothing until you edit it. Ready-made checks that
    may fit a clause by its words are proposed below it, as comments unless --ready-made switches them on. With
    --judge, every clause has the cheapest check that can decide it, and the estimated cost stands above them. With
    --output, the JSON Schema that editors complete it by is written beside it, where there is none yet.
    """
    folder = output.parent if output is not None else Path()
    loaded, path = load_spec(spec), _relative_path(folder, spec)
    if model is None:
        text = starting_policy(loaded, path, kinds(), ready_made=ready_made)
    else:
        plan = plan_checks(loaded, _check_model(model))
        load = estimate_load(loaded, plan, call_tokens=call_tokens, tool_call_share=tool_calls)
        notes = list(_cost_notes(model, load, call_tokens, tool_calls))
        text = starting_policy(loaded, path, kinds(), plan, notes, ready_made=ready_made)
    if output is None:
        click.echo(text, nl=False)
        return
    write_new_file(output, text)
    schema = folder / SCHEMA_FILE
    if not schema.exists():
        write_new_file(schema, schema_text(kinds()))
    click.echo(f"Wrote {output}. Bind checks to clauses in it, then: specspan policy check {output}", err=True)


def _check_model(model: str) -> str:
    if not re.fullmatch(r"[\w.-]+:\S+", model):
        raise click.BadParameter(
            f"{model!r} is not a provider and a model, such as openai:gpt-5-mini", param_hint="--judge"
        )
    return model


def _cost_notes(model: str, load: JudgeLoad, call_tokens: int, tool_calls: float) -> Iterator[str]:
    """Yield the estimate of what the judges of a policy cost."""
    requests, answers = 1000 * load.requests, 1000 * load.answers
    tokens = f"{1000 * load.input_tokens:,.0f} tokens in and {1000 * load.output_tokens:,.0f} out"
    yield f"Judges of 1,000 calls: about {answers:,.0f} answers in {requests:,.0f} requests, {tokens}"
    yield f"({call_tokens:,} tokens a call, a tool in {tool_calls:.0%} of them). {_cost_note(model, load)}"


def _cost_note(model: str, load: JudgeLoad) -> str:
    provider, _, name = model.partition(":")
    if not load.requests:
        return "No judge is asked."
    each = ModelUsage(round(load.input_tokens / load.requests), round(load.output_tokens / load.requests))
    cost = calculate_cost({(provider, name): each})[0]
    if cost is None:
        return "No price is known: pip install 'specspan[prices]', or a model that genai-prices has."
    return f"That is ${float(cost) * 1000 * load.requests:.2f} at prices of today (genai-prices)."


def _relative_path(folder: Path, spec: Path) -> str:
    """Return the path that leads from a policy in ``folder`` to the spec."""
    try:
        return Path(os.path.relpath(spec, folder)).as_posix()
    except ValueError:  # another drive
        return spec.absolute().as_posix()
