"""`specspan gate`: a policy against the thresholds that it has to keep to before it comes into force."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.text import Text

from specspan.cli.options import import_modules, import_option
from specspan.cli.terminal import clean, console, plural, print_json
from specspan.gate.gate_file import load_gate
from specspan.gate.gate_reports import gate_json, gate_junit, gate_markdown, gate_sarif
from specspan.gate.gate_run import Checked, GateResult, run_gate

_OUTPUT = click.Path(path_type=Path, dir_okay=False)


@click.command("gate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", type=_OUTPUT, help="Also append a summary here, such as to $GITHUB_STEP_SUMMARY.")
@click.option("--junit-xml", "junit", type=_OUTPUT, help="Also write JUnit XML here.")
@click.option("--sarif", type=_OUTPUT, help="Also write a SARIF log here.")
@import_option
def command(
    file: Path, as_json: bool, markdown: Path | None, junit: Path | None, sarif: Path | None, modules: tuple[str, ...]
) -> None:
    """Measure the policy that FILE names by its tests, examples, datasets and judges, and hold every requirement.

    Exit code 0 when every requirement holds, 1 when one does not or could not be measured, 2 when FILE, the policy or
    another file of the gate is refused.
    """
    with import_modules(modules):
        result = run_gate(load_gate(file))
    try:
        if markdown is not None:
            with markdown.open("a", encoding="utf-8", newline="\n") as summary:
                summary.write(gate_markdown(result))
        if junit is not None:
            junit.write_bytes(gate_junit(result))
        if sarif is not None:
            sarif.write_text(json.dumps(gate_sarif(result), indent=2) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json(gate_json(result))
    else:
        _print(result)
    if not result.passed:
        raise click.exceptions.Exit(1)


def _print(result: GateResult) -> None:
    out = console()
    for each in result.checked:
        out.print(_line(each))
    failed_tests = [(table, test) for table, tests in result.tests for test in tests if not test.passed]
    for table, test in failed_tests:
        out.print(Text(f"  test {clean(test.case.name)}  {clean(table.source)}:{test.case.line}", "dim"))
    failed = sum(not each.holds for each in result.checked)
    style = "bold red" if failed else "bold green"
    out.print(Text(f"{plural(len(result.checked), 'requirement')}, {failed} not met", style))


def _line(each: Checked) -> Text:
    line = Text("✔ ", "green") if each.holds else Text("✘ ", "bold red")
    line.append(clean(each.requirement.text), "" if each.holds else "bold").append(f"  {each.measure.words()}", "dim")
    if not each.holds and each.measure.examples:
        line.append(f"  such as {', '.join(map(clean, each.measure.examples[:3]))}", "dim")
    return line
