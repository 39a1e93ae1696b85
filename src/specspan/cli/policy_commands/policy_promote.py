"""`specspan policy promote`: a candidate takes the place of a policy, once a gate lets it."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.text import Text

from specspan.cli.options import import_modules, import_option
from specspan.cli.terminal import clean, console
from specspan.gate.gate_file import load_gate
from specspan.gate.gate_run import failures, run_gate
from specspan.policy.load import load_policy

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("promote")
@click.argument("policy", type=_FILE)
@click.option("--gate", "gate_file", type=_FILE, required=True, help="The gate, whose policy is the candidate.")
@import_option
def command(policy: Path, gate_file: Path, modules: tuple[str, ...]) -> None:
    """Put the policy of a gate in the place of POLICY, if every requirement holds.

    Running processes that reload their policy take it up. The file before is kept beside it, as POLICY.previous. Exit
    code 1 when the gate lets nothing pass; then nothing is changed.
    """
    gate = load_gate(gate_file)
    if gate.policy.parent.resolve() != policy.parent.resolve():
        message = f"{gate.policy} is in another folder than {policy}: the paths in it would mean other files."
        raise click.UsageError(message)
    if gate.policy.resolve() == policy.resolve():
        raise click.UsageError(f"{policy} is the candidate itself: the gate names the policy that is to come.")
    out = console()
    with import_modules(modules):
        result = run_gate(gate)
        if not result.passed:
            for each in failures(result):
                out.print(Text(f"✘ {clean(each.requirement.text)}  {each.measure.words()}", "bold red"))
            raise click.exceptions.Exit(1)
        before = load_policy(policy, environment=gate.environment).digest if policy.exists() else "nothing"
    try:
        text = gate.policy.read_bytes()
        if policy.exists():
            policy.with_name(f"{policy.name}.previous").write_bytes(policy.read_bytes())
        new = policy.with_name(f"{policy.name}.new")
        new.write_bytes(text)
        os.replace(new, policy)  # noqa: PTH105 - whoever reloads reads the one or the other
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}.") from error
    out.print(Text(f"{policy}: {before} → {load_policy(policy, environment=gate.environment).digest}"), soft_wrap=True)
