"""The JSON Schema that editors complete a policy by admits what is loaded, and tells typing errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from json_schemas import admits

import specspan.policy.published_schema as module
from specspan import demo
from specspan._support import plugins
from specspan.checks.check import CheckKindModule
from specspan.checks.registry import kinds
from specspan.policy.file import read_document
from specspan.policy.published_schema import SCHEMA_FILE, policy_schema, schema_text
from specspan.policy.template import starting_policy
from specspan.spec.read import load_spec

PUBLISHED = Path(module.__file__).with_name(SCHEMA_FILE)
DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads(PUBLISHED.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a folder of its own."""
    monkeypatch.chdir(tmp_path)


def value_of(text: str) -> Any:
    """What stands in a policy file."""
    Path("p.yaml").write_text(text, encoding="utf-8")
    return read_document(Path("p.yaml")).root.value


def test_the_published_schema_is_current() -> None:
    """The schema file is what the models and our own kinds say: write it with `specspan policy schema`."""
    ours: dict[str, CheckKindModule] = {each.KIND: each for each in plugins.iter_modules("specspan.checks.kinds")}
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(ours)


def _examples() -> dict[str, str]:
    pages = {
        name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("policy", "policy-layers", "enforcement")
    }
    found = {
        f"{name}.md, {number}": text
        for name, page in pages.items()
        for number, text in enumerate(re.findall(r"```yaml[^\n]*\n(.*?)```", page, re.DOTALL))
    }
    material = Path(next(iter(demo.__path__))) / "material" / "policy.yaml"
    checks = (DOCS / "checks.md").read_text(encoding="utf-8")
    listed = re.findall(r"```yaml\n(checks:\n.*?)```", checks, re.DOTALL)[0]
    found["checks.md"] = "spec: x\nclauses:\n  c:\n" + re.sub(r"^", "    ", listed, flags=re.MULTILINE)
    return {**found, "demo": material.read_text(encoding="utf-8")}


EXAMPLES = _examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_policies_that_are_shown_are_admitted(name: str) -> None:
    """Those of the documentation and of the demo."""
    assert admits(SCHEMA, value_of(EXAMPLES[name]))


def test_a_first_policy_is_admitted_and_names_the_schema(house: Path) -> None:
    """With the line by which editors find the schema as its first."""
    text = starting_policy(load_spec("house.md"), "house.md", kinds())
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert admits(SCHEMA, value_of(text))


ADMITTED = [
    "spec: {path: house.md, digest: 'sha256:0'}",
    "specs: [a.md, {path: b.md}]\norder: [[a.x, b.y], a.z]",
    "extends: base.yaml\nenvironments:\n  production:\n    mode: enforce\n  staging:",
    "spec: x\ndefaults:\nclauses:\n  c:\n  d: {checks: , severity: , mode: observe}\noverrides:",
    "spec: x\nclauses: {c: {checks+: [{pattern: {any: [x], sample: 10%}}, {code: {name: x, timeout: 1s}}]}}",
    "spec: x\nclauses: {c: {objective: {target: 0.9, window: 30d}, checks: [{tools: {sample: 0.1, allow: []}}]}}",
]
REFUSED = [
    "spec: x\nclausse: {}",
    "spec: x\nmode: enfroce",
    "spec: x\nclauses: {c: {actoin: block}}",
    "spec: x\nclauses: {c: {checks: [{patern: x}]}}",
    "spec: x\nclauses: {c: {checks: [{pattern: x, code: y}]}}",
    "spec: x\nclauses: {c: {checks: [{}]}}",
    "spec: x\nclauses: {c: {checks: [{pattern: {any: [x], stge: input}}]}}",
    "spec: x\nclauses: {c: {checks: [{pattern: {any: [x], stage: inptu}}]}}",
    "spec: x\nclauses: {c: {checks: [{tools: {limits: {t: {a: {mx: 3}}}}}]}}",
    "spec: x\nenvironments: {production: {spec: y}}",
    "spec: x\noverrides: [{clause: c, by: user}]",
    "spec: {pth: x}",
]


@pytest.mark.parametrize("text", ADMITTED)
def test_every_way_to_write_it_is_admitted(text: str) -> None:
    """A path alone, a key with nothing under it, a check in short: nothing that is loaded is marked as wrong."""
    assert admits(SCHEMA, value_of(text))


@pytest.mark.parametrize("text", REFUSED)
def test_a_typing_error_is_told(text: str) -> None:
    """Unknown keys and words, wherever they stand, those of a check's configuration too."""
    assert not admits(SCHEMA, value_of(text))


def test_every_example_of_a_kind_is_admitted() -> None:
    """What a first policy shows of each kind can be copied."""
    for key, kind in kinds().items():
        for example in kind.SCHEMA["examples"]:
            policy = {"spec": "x", "clauses": {"c": {"checks": [{key: example}]}}}
            assert admits(policy_schema(kinds()), policy)


def test_a_plug_in_brings_its_own_schema() -> None:
    """Its definitions are found under its name, whatever they are called, and it has the limits of any check."""
    own = {
        "anyOf": [
            {"type": "object", "properties": {"size": {"$ref": "#/$defs/Action"}}, "additionalProperties": False},
        ],
        "$defs": {"Action": {"enum": ["small"]}},
    }
    kind: Any = SimpleNamespace(KIND="size", build=None, SCHEMA=own)
    schema = policy_schema({**kinds(), "size": kind})

    def policy(**configuration: Any) -> dict[str, Any]:
        return {"spec": "x", "clauses": {"c": {"action": "block", "checks": [{"size": configuration}]}}}

    assert admits(schema, policy(size="small", sample=0.1))
    assert not admits(schema, policy(size="block"))
    assert not admits(schema, policy(sise="small"))
    assert not admits(SCHEMA, policy(size="small"))
