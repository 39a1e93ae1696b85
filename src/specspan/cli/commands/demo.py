"""``specspan demo``: a support desk at work, and what became of every clause."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specspan.cli import demo_view
from specspan.cli.output import console
from specspan.cli.stored import opened
from specspan.cli.trace_view import trace_tree
from specspan.decision import Mode
from specspan.errors import ConfigurationError, MissingDependency, Problem

if TYPE_CHECKING:  # they need the openai client, which may not be installed
    from specspan.demo.conversations import Conversation
    from specspan.demo.run import Service, Told

_MATERIAL = files("specspan.demo") / "material"


@click.command("demo")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy in place of the demo's own.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In place of what the policy says.")
@click.option(
    "--db", type=click.Path(path_type=Path), help="The SQLite file.  [default: SPECSPAN_DB, else specspan.db]"
)
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Only write policy and spec there, to edit.")
def command(policy: Path | None, mode: str | None, db: Path | None, folder: Path | None) -> None:
    """A support desk at work: seven conversations, the trace of each, and what became of every clause.

    Nothing in it is canned: edit the policy, and the decisions change.
    """
    if folder is not None:
        _write(folder)
        return
    _require_openai()
    _require_sdk()
    with as_file(_MATERIAL) as material:
        _run(policy or material / "policy.yaml", mode, db or Path(os.environ.get("SPECSPAN_DB") or "specspan.db"))


def _run(policy: Path, mode: str | None, db: Path) -> None:
    import specspan
    from specspan.demo import run
    from specspan.demo.conversations import CONVERSATIONS
    from specspan.runtime.configure import policy_of

    loaded = policy_of(policy, mode)
    out = console()
    with run.service() as answering:
        specspan.configure(loaded, service_name="support-desk", db=db)
        specspan.instrument("openai")
        try:
            out.print(demo_view.opening(loaded, answering))
            decisions = []
            for number, asked in enumerate(CONVERSATIONS, 1):
                told = _told(asked, answering)
                specspan.force_flush()
                with opened(db) as reader:
                    found = reader.decisions_of(told.trace_id)
                    policies = reader.policies({loaded.digest})
                    tree = trace_tree(reader.spans(told.trace_id), found, policies, most_rows=0)
                out.print(demo_view.conversation(number, told, tree))
                decisions += found
            out.print(demo_view.closing(decisions, db.absolute()))
        finally:
            specspan.shutdown()


def _told(asked: Conversation, answering: Service) -> Told:
    import openai

    from specspan.demo import run

    try:
        return run.converse(asked, answering)
    except openai.OpenAIError as error:
        raise click.ClickException(f"the model service failed: {type(error).__name__}: {error}") from error


def _require_sdk() -> None:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise ConfigurationError(
            "OTEL_SDK_DISABLED",
            Problem("it is set, so nothing would be recorded and there would be nothing to show", "Unset it."),
        )


def _write(folder: Path) -> None:
    """Copy policy and spec to a folder; what stands there already stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Name a folder that can be written."
        raise ConfigurationError(
            str(folder), Problem(f"no folder can be made here: {error.strerror}", remedy)
        ) from None
    for entry in sorted(_MATERIAL.iterdir(), key=lambda entry: entry.name):
        target = folder / entry.name
        try:
            with target.open("xb") as file:
                file.write(entry.read_bytes())
        except FileExistsError:
            remedy = "Name another folder, or remove it first."
            raise ConfigurationError(str(target), Problem("stands here already and was left alone", remedy)) from None
        click.echo(f"wrote {target}")


def _require_openai() -> None:
    try:
        import openai  # noqa: F401  # only whether it is there
    except ImportError:
        problem = Problem("talks to its model through the openai client", "Run: pip install 'specspan[openai]'")
        raise MissingDependency("demo", problem) from None
