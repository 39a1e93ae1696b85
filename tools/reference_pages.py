"""Reference pages of the documentation, generated from what they describe: ``tools/reference_pages.py FOLDER``.

`api.md` from docstrings (directives that mkdocstrings follows), `commands.md` from the command line, `policy-keys.md`
from the JSON schema of policy files, `names.md` from the conventions. Variables have a page of their own:
`tools/variables.py`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("specspan", "specspan.testing", "specspan.web")
SCHEMA = ROOT / "src" / "specspan" / "policy" / "policy.schema.json"
CONVENTIONS = ROOT / "src" / "specspan" / "record" / "conventions.py"
_NAME = re.compile(r'^([A-Z][A-Z0-9_]*): Final = "(\w+\.[^"/]+)"(?:  #.*)?$')


def render_api() -> str:
    """Return the page of the public names, with a directive for the docstring of each."""
    lines = [
        "# Python API",
        "",
        "Everything that is public. A name that does not stand here may change without notice.",
    ]
    for module in MODULES:
        names = importlib.import_module(module).__all__
        lines += ["", f"## `{module}`", ""]
        lines += [f"::: {module}.{name}\n" for name in sorted(names, key=str.lower) if name != "__version__"]
    return "\n".join(lines) + "\n"


def render_commands(command: click.Command, name: str) -> str:
    """Return the page of a command and of all below it: usage, help, arguments and options."""
    introduction = (
        "What `--help` says, in one place. All commands exit with 2 for wrong input, with a line that says why."
    )
    return "\n".join(["# Commands", "", introduction, *_command_lines(command, click.Context(command, info_name=name))])


def _command_lines(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"## {context.command_path}", "")
    yield inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", "")
    yield from ("", "```text", context.get_usage().removeprefix("Usage: "), "```", "")
    options = [
        each for each in command.get_params(context) if isinstance(each, click.Option) and "--help" not in each.opts
    ]
    if options:
        yield from ("| option | meaning |", "|---|---|")
    for each in options:
        yield f"| {_option_names(each)} | {_cell(each.help or '')}{_default(each)} |"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _command_lines(below, click.Context(below, info_name=name, parent=context))


def _option_names(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    choices = getattr(option.type, "choices", ())
    return names + (f" {_cell(' | '.join(map(str, choices)))}" if choices else "")


def _default(option: click.Option) -> str:
    shown = option.show_default and option.default is not None
    return f" (default: `{option.default}`)" if shown else ""


def render_policy_keys(schema: Mapping[str, Any]) -> str:
    """Return the page of every key of a policy file, section by section."""
    lines = ["# Keys of a policy file", "", "What each means together with others is in [policy.md](../policy.md)."]
    sections = {"The file": schema, **schema["$defs"]}
    for title, section in sections.items():
        if "properties" in section or "enum" in section or "anyOf" in section:
            lines += ["", f"## {_title(title)}", "", *_section_lines(section)]
    return "\n".join(lines) + "\n"


def _title(definition: str) -> str:
    return definition.removesuffix("Entry").removesuffix("Config")


def _section_lines(section: Mapping[str, Any]) -> Iterator[str]:
    if section.get("description"):
        yield from (_prose(section["description"]), "")
    if "enum" in section or "anyOf" in section:
        yield from (f"One of: {_type_of(section)}.", "")
    required = section.get("required", ())
    if section.get("properties"):
        yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    for key, value in section.get("properties", {}).items():
        default = "required" if key in required else _default_of(value)
        yield f"| `{key}` | {_type_of(value)} | {default} | {_cell(_prose(value.get('description', '')))} |"


def _default_of(schema: Mapping[str, Any]) -> str:
    """Return the default of a key; those of a section stand in the section's own table."""
    return "" if isinstance(schema.get("default", {}), dict) else _literal(schema["default"])


def _type_of(schema: Any) -> str:
    """Return the type of a value in words, with a link to the section that it names."""
    if not isinstance(schema, dict):
        return "anything"
    if "$ref" in schema:
        name = _title(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{re.sub(r'[^a-z0-9_-]', '', name.lower())})"
    if "enum" in schema or "const" in schema:
        return ", ".join(map(_literal, schema.get("enum", [schema.get("const")])))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = [_type_of(each) for each in schema[key] if each != {"type": "null"}]
            return " or ".join(dict.fromkeys(kinds))
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ["anything"])
    return " or ".join(_container_of(kind, schema) for kind in types if kind != "null")


def _container_of(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array" and "items" in schema:
        return f"list of {_type_of(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping to {_type_of(schema['additionalProperties'])}"
    return {"object": "mapping", "array": "list"}.get(kind, kind)


def render_names(source: str) -> str:
    """Return the page of every recorded name, below the comment that says where it comes from."""
    lines = [
        "# Recorded names",
        "",
        "Every name of an attribute, event, metric or record. What those of `specspan.*` mean is",
    ]
    lines += ["in [telemetry.md](../telemetry.md).", ""]
    comment, is_open = "", False
    for line in source.splitlines():
        name = _NAME.match(line)
        if line.startswith("# "):
            comment, is_open = (f"{comment} {line[2:]}" if comment and not is_open else line[2:]), False
        elif name is not None:
            if not is_open:
                lines += ["", comment, "", "| name | constant |", "|---|---|"]
            is_open = True
            lines.append(f"| `{name[2]}` | `{name[1]}` |")
        elif not line.strip():
            comment, is_open = "", False
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    return text.replace("``", "`")


def _literal(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def pages() -> dict[str, str]:
    """Return every page, by its name."""
    from specspan.cli.main import cli

    return {
        "api.md": render_api(),
        "commands.md": render_commands(cli, "specspan"),
        "policy-keys.md": render_policy_keys(json.loads(SCHEMA.read_text(encoding="utf-8"))),
        "names.md": render_names(CONVENTIONS.read_text(encoding="utf-8")),
    }


def main(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
