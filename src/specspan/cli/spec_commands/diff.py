"""`specspan spec diff`: what changed between two versions, and what that means for a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from specspan.cli.diff_page import diff_page
from specspan.cli.diff_view import diff_view
from specspan.cli.output import console, print_json
from specspan.cli.own_checks import imported, own_checks
from specspan.cli.policy_environment import in_environment
from specspan.policy.impact import Impact, Need, impact, load_either
from specspan.spec.diff import diff
from specspan.spec.diff_json import diff_to_json
from specspan.spec.find import find_spec
from specspan.spec.load import load_spec


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--policy", type=click.Path(path_type=Path), help="Say which of its bindings break or need another look.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page that stands alone.")
@in_environment
@own_checks
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/diff.md.")
def command(
    old: str,
    new: str,
    policy: Path | None,
    page: Path | None,
    environment: str | None,
    modules: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what changed from the spec in OLD to the one in NEW, clause by clause.

    Each is a file, or an edition of the catalogue such as openai-model-spec@2025-12-18 that is on this machine.

    The exit code is 1 when the policy needs attention, and 0 without one.
    """
    before, after = (load_spec(find_spec(reference, Path())) for reference in (old, new))
    found = diff(before, after)
    with imported(modules):
        touched = None if policy is None else impact(load_either(policy, found, environment), found)
    if page is not None:
        _write(page, diff_page(found, touched))
    if as_json:
        print_json({**diff_to_json(found), "policy": touched and _impact_json(touched)})
    else:
        out = console()
        out.print(diff_view(found, touched, colours=out.color_system is not None))
    if touched is not None and touched.attention:
        raise click.exceptions.Exit(1)


def _write(page: Path, text: str) -> None:
    """Write the page, over one of an earlier run too."""
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{page} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {page}.", err=True)


def _impact_json(touched: Impact) -> dict[str, Any]:
    """What a change means for a policy."""
    return {
        "source": touched.policy.source,
        "digest": touched.policy.digest,
        "counts": {need.value: len(touched.having(need)) for need in Need},
        "attention": [
            {
                "need": item.need.value,
                "key": item.key,
                "clause": item.clause,
                "reason": item.reason,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in touched.attention
        ],
        "unbound": [clause.id for clause in touched.unbound],
    }
