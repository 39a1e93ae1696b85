"""`specspan spec convert`, `catalogue` and `pull` as their user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from specspan.spec.read import load_spec

HARBOUR = Path(__file__).parents[1] / "spec" / "data" / "harbour-2026-03-01.md"


def test_convert_writes_a_file_that_is_not_there(specspan: Callable[..., Any], tmp_path: Path) -> None:
    """A spec is written in another format to standard output or to a new file, never over an old one."""
    target = tmp_path / "harbour.yaml"
    printed = specspan("spec", "convert", HARBOUR, "--to", "yaml")
    written = specspan("spec", "convert", HARBOUR, "--to", "yaml", "-o", target)
    assert (printed.code, written.code) == (0, 0)
    assert target.read_text(encoding="utf-8") == printed.out
    assert [*load_spec(target).clauses] == [*load_spec(HARBOUR).clauses]
    assert specspan("spec", "convert", HARBOUR, "--to", "yaml", "-o", target).code == 2
    assert "'yaml'" in specspan("spec", "convert", HARBOUR, "--to", "yml").err


def test_catalogue_lists_what_was_published(specspan: Callable[..., Any]) -> None:
    """Every published edition is listed by the name that a policy pins."""
    names = [each["name"] + "@" + each["version"] for each in json.loads(specspan("spec", "catalogue", "--json").out)]
    shown = specspan("spec", "catalogue").out
    assert len(names) == 6
    assert all(name in shown for name in names)


def test_catalogue_says_which_edition_a_file_is(
    specspan: Callable[..., Any], model_specs: Path, tmp_path: Path
) -> None:
    """A file is named by its bytes; an edited copy by what it is most like."""
    published = model_specs / "2025-12-18-rev2.md"
    assert specspan("spec", "catalogue", published).out.endswith("is openai-model-spec@2025-12-18-rev2\n")
    copy = tmp_path / "copy.md"
    copy.write_bytes(published.read_bytes() + b"\nMore.\n")
    assert "shares 99% of its clauses with openai-model-spec@2025-12-18-rev2" in specspan("spec", "catalogue", copy).out
    assert specspan("spec", "catalogue", HARBOUR).out.endswith("is not in the catalogue\n")


def test_pull_names_what_can_be_had(specspan: Callable[..., Any]) -> None:
    """What the catalogue does not know is refused before anything is asked of the network."""
    assert "2025-12-18" in specspan("spec", "pull", "openai-model-spec@2025-12-19").err
    ran = specspan("spec", "pull", "acme@1")
    assert (ran.code, "not in the catalogue" in ran.err) == (2, True)
