"""`specspan checks try`: one check on a text of yours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from specspan.call import Message, ModelCall, Request, Response, Text, ToolCallResponse
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.texts import texts
from specspan.cli.checks_commands.checks_show import find_kind
from specspan.cli.options import import_modules, import_option
from specspan.cli.terminal import clean, console, mark, print_json
from specspan.decision import Action, Evidence, Finding, Mode, Severity, Stage
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import CheckBinding, ClausePolicy, OnError, Policy
from specspan.spec.spec import Clause, Spec

_LEVEL = "user"
_PLACES = 20


@click.command("try")
@click.argument("kind")
@click.option("--text", help="Text to decide: of the answer, or of what is read at the stage `input`; - for stdin.")
@click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="File with the text.")
@click.option("--config", default="{}", show_default=True, metavar="YAML", help="What a policy says under the kind.")
@click.option("--user", default="", help="What the user asked.")
@click.option("--instructions", default="", help="Instructions of the application.")
@click.option("--result", "results", multiple=True, help="Result of a tool; repeatable.")
@import_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    kind: str,
    text: str | None,
    file: Path | None,
    config: str,
    user: str,
    instructions: str,
    results: tuple[str, ...],
    modules: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run one check of a KIND on a text, and print what it finds and what a redaction would leave.

    The text is the answer; at the stage `input` it is the result of a tool where the check reads only those, else what
    the user said.
    """
    content = _read(text, file)
    with import_modules(modules):
        check = _build(kind, config)
    is_input = check.traits.stage is Stage.INPUT
    if is_input and check.traits.reads("user"):
        user = content
    elif is_input:
        results = (content, *results)
    call = _call("" if is_input else content, user, instructions, results)
    finding, left = _decide(check, call)
    if as_json:
        print_json(_as_json(finding, left))
        return
    out = console()
    line = mark(finding.outcome)
    line.append(f" {finding.reason or ''}{f' {finding.score:g}' if finding.score is not None else ''}".rstrip())
    out.print(line)
    for place, quoted in _quotations(finding, call):
        out.print(f"  {place.pointer} {place.start}–{place.end}: {clean(quoted)}", markup=False, highlight=False)
    if finding.explanation:
        out.print(f"  {clean(finding.explanation)}", markup=False, highlight=False)
    for pointer, redacted in left.items():
        out.print(f"redacted {pointer}: {clean(redacted)}", markup=False, highlight=False, soft_wrap=True)


def _read(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise click.UsageError("Give the text by one of --text and --file.")
    if file is not None:
        return file.read_text(encoding="utf-8", errors="replace")
    return sys.stdin.read() if text == "-" else str(text)


def _build(kind: str, config: str) -> Check:
    try:
        return find_kind(kind).build("clause", yaml.safe_load(config))
    except CheckConfigError as error:
        where = f"{error.key}: " if error.key else ""
        raise click.BadParameter(f"{where}{error.message}. {error.remedy}", param_hint="--config") from None
    except (ValueError, yaml.YAMLError) as error:
        raise click.BadParameter(str(error), param_hint="--config") from None


def _call(answer: str, user: str, instructions: str, results: tuple[str, ...]) -> ModelCall:
    messages = [
        *([Message("system", (Text(instructions),))] if instructions else []),
        Message("user", (Text(user),)),
        *(Message("tool", (ToolCallResponse(result, f"call_{number}"),)) for number, result in enumerate(results)),
    ]
    answered = Response(output=(Message("assistant", (Text(answer),)),)) if answer else None
    return ModelCall(Request("specspan", input=tuple(messages)), answered)


def _decide(check: Check, call: ModelCall) -> tuple[Finding, dict[str, str]]:
    """Return the finding, and the texts that a redaction changes, by a policy of this check alone."""
    clause = Clause("clause", "", "", _LEVEL)
    bound = ClausePolicy(clause, Severity.MEDIUM, Action.REDACT, OnError.OPEN, (CheckBinding(check),))
    spec = Spec("checks", None, "", (_LEVEL,), {clause.id: clause})
    evaluation = Engine(Policy((spec,), Mode.ENFORCE, "", {clause.id: bound})).open(call=call)
    edits = dict(run_sync(evaluation.input(call)).edits)
    if call.response is not None:
        edits |= run_sync(evaluation.output(call)).edits
    return evaluation.decide().findings[0], edits


def _quotations(finding: Finding, call: ModelCall) -> Iterator[tuple[Evidence, str]]:
    read = {each.pointer: each.text for stage in (Stage.INPUT, Stage.OUTPUT) for each in texts(call, stage)}
    for place in finding.evidence[:_PLACES]:
        yield place, read.get(place.pointer, "")[place.start : place.end]


def _as_json(finding: Finding, left: dict[str, str]) -> dict[str, Any]:
    return {
        "outcome": finding.outcome,
        "reason": finding.reason,
        "score": finding.score,
        "explanation": finding.explanation,
        "evidence": [{"pointer": each.pointer, "start": each.start, "end": each.end} for each in finding.evidence],
        "redacted": left,
    }
