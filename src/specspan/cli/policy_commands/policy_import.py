"""`specspan policy import`: first policy from the configuration of guardrails that a team has."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.terminal import write_new_file
from specspan.policy.guardrail_import import IMPORTERS, UnreadableConfig, policy_text, spec_text


@click.command("import")
@click.argument("guardrails", type=click.Choice(sorted(IMPORTERS)))
@click.argument("config", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to a file that is not there yet, and the specification beside it.",
)
def command(guardrails: str, config: Path, output: Path | None) -> None:
    """Print a policy with the guardrails of a configuration file, each under a clause of its own.

    What could not be carried over stands above it. With --output, a specification with these clauses is written beside
    the policy, for you to say in words what each guardrail is for.
    """
    try:
        imported = IMPORTERS[guardrails](config)
    except UnreadableConfig as error:
        raise click.ClickException(f"{config} is not a configuration of {guardrails}: {error}.") from None
    if not imported.clauses:
        raise click.ClickException(f"{config} has no guardrail that could be carried over.")
    spec = output.with_suffix(".md") if output is not None else Path("guardrails.md")
    text = policy_text(imported, spec.name)
    if output is None:
        click.echo(text, nl=False)
        return
    write_new_file(output, text)
    write_new_file(spec, spec_text(imported, guardrails))
    for note in imported.left_out:
        click.echo(f"Not carried over: {note}", err=True)
    click.echo(f"Wrote {output} and {spec}, with {len(imported.clauses)} clauses.", err=True)
