"""`specspan checks show`: one kind of check, its options and examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
import yaml
from rich.padding import Padding
from rich.text import Text

from specspan._support.messages import did_you_mean
from specspan.checks.check import CheckKindModule
from specspan.checks.registry import kinds
from specspan.cli.terminal import console, print_json


@click.command("show")
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True, help="Print its JSON Schema.")
def command(kind: str, as_json: bool) -> None:
    """Show what the checks of a KIND decide, their options and examples to copy into a policy."""
    schema = find_kind(kind).SCHEMA
    if as_json:
        print_json(schema)
        return
    out = console()
    out.print(f"[bold]{kind}[/]: {schema.get('description', '')}")
    for name, option in _options(schema).items():
        line = Text(f"{name}: ", style="bold").append(f"{_type(schema, option)}{_default(option)}", style="not bold")
        out.print("", line, sep="\n")
        if "description" in option:
            out.print(Padding(" ".join(option["description"].split()), (0, 0, 0, 4)), highlight=False, markup=False)
    out.print("\n[dim]checks:[/]")
    for example in schema.get("examples", ()):
        out.print(f"  - {_flow({kind: example})}", markup=False, highlight=False, soft_wrap=True)


def find_kind(name: str) -> CheckKindModule:
    """Return a kind of check by its key in a policy file.

    Raises:
        BadParameter: there is none of this name.
    """
    known = kinds()
    if name not in known:
        raise click.BadParameter(
            f"unknown kind {name!r}. {did_you_mean(name, known, 'See: specspan checks list')}", param_hint="KIND"
        )
    return known[name]


def _options(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a schema, or of the one of its alternatives that has some."""
    alternatives = (schema, *schema.get("anyOf", ()))
    resolved = (_resolve(schema, each) for each in alternatives)
    return next((each["properties"] for each in resolved if "properties" in each), {})


def _resolve(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = str(part.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = schema.get("$defs", {}).get(reference, part)
    return found


def _type(schema: Mapping[str, Any], option: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_types(schema, option))) or "any"


def _types(schema: Mapping[str, Any], option: Mapping[str, Any]) -> Iterator[str]:
    option = _resolve(schema, option)
    for each in option.get("anyOf", ()):
        yield from _types(schema, each)
    if "enum" in option:
        yield ", ".join(map(str, option["enum"]))
    elif option.get("type") == "array":
        yield f"list of {_type(schema, option.get('items', {}))}"
    elif "type" in option:
        yield str(option["type"])


def _default(option: Mapping[str, Any]) -> str:
    if option.get("default") is None:
        return ""
    return f", {json.dumps(option['default'], ensure_ascii=False)} unless given"


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True).strip()[
        1:-1
    ]
