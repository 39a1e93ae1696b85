"""Published specs are recognised, named and pinned."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from specspan.errors import PolicyError, SpecError
from specspan.policy.load import load_policy
from specspan.spec import catalogue
from specspan.spec.catalogue import Edition, describe, editions, find_edition, nearest_edition
from specspan.spec.read import find_spec, load_spec

HARBOUR = Path(__file__).with_name("data") / "harbour-2026-03-01.md"
TOOL = Path(__file__).parents[2] / "tools" / "catalogue.py"


@pytest.fixture
def harbour(monkeypatch: pytest.MonkeyPatch) -> Edition:
    """A spec of our own as an edition that the catalogue knows."""
    facts = describe(
        load_spec(HARBOUR), version="7", date="2026-03-01", size_bytes=HARBOUR.stat().st_size, url="harbour/7.md"
    )
    edition = catalogue._parse_edition(json.loads(json.dumps(facts)))
    known = {**editions(), edition.digest: edition}
    monkeypatch.setattr(catalogue, "editions", lambda: known)
    return edition


def test_the_catalogue_is_current(model_specs: Path) -> None:
    """What is kept of every published revision is what its text gives."""
    made = runpy.run_path(str(TOOL))
    for version in made["COMMITS"]:
        kept = (made["TARGET"] / f"openai-model-spec@{version}.json").read_text(encoding="utf-8")
        assert kept == made["text"](model_specs, version)


def test_the_catalogue_keeps_no_text() -> None:
    """Facts only: of a clause its id, its level, and 64 hexadecimal digits."""
    for edition in editions().values():
        assert all(len(digest) == 64 for _, digest in edition.clauses.values())
        assert {level for level, _ in edition.clauses.values()} <= {None, *edition.ladder}


def test_two_texts_of_one_date_are_two_versions() -> None:
    """A date means the first text published under it; the second one has a name of its own."""
    first, second = find_edition("openai-model-spec@2025-12-18"), find_edition("openai-model-spec@2025-12-18-rev2")
    assert first is not None
    assert second is not None
    assert first.date == second.date
    assert (first.digest, second.digest) == (
        "sha256:fec3ee7636b93185f0f68733c03f2b1a6bcf69c21649e690fbacf4a0ebbe2697",
        "sha256:e7a70bc6ab363213d88f6c20a7b78c6949d3f5feba22ec054c97f333a71a8aeb",
    )


def test_unknown_version_names_the_nearest() -> None:
    """A version that was never published is refused with those that were."""
    with pytest.raises(SpecError, match="Did you mean '2025-12-18"):
        find_edition("openai-model-spec@2025-12-19")


@pytest.mark.parametrize("reference", ["acme@1.md", "spec.md", "@", "openai-model-spec", "../a@b/c"])
def test_a_name_that_nobody_published_is_a_path(tmp_path: Path, reference: str) -> None:
    """Only names of the catalogue are looked for; everything else is a file."""
    assert find_spec(reference, tmp_path, {}) == tmp_path / reference


def test_an_edited_copy_is_nearest_to_what_it_was_made_from(harbour: Edition, tmp_path: Path) -> None:
    """A text that the catalogue does not know is said to be like the edition that it shares most with."""
    path = tmp_path / "copy.md"
    path.write_text(HARBOUR.read_text(encoding="utf-8").replace("Text behind a note.", "Another."), encoding="utf-8")
    assert nearest_edition(load_spec(path)) == (harbour, 0.8)
    path.write_text("# A {#a}\n")
    assert nearest_edition(load_spec(path)) is None


def policy(folder: Path) -> Path:
    path = folder / "policy.yaml"
    path.write_text("spec: harbour@7\nclauses:\n  keep_secrets:\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("place", ["SPECSPAN_SPECS", "policy", "cache"])
def test_a_policy_pins_an_edition_wherever_it_lies(
    harbour: Edition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A pin is found by digest in the named folders, beside the policy, and where pulled specs are kept."""
    folders = {"SPECSPAN_SPECS": tmp_path / "specs", "policy": tmp_path, "cache": tmp_path / "xdg/specspan/specs"}
    monkeypatch.setenv("SPECSPAN_SPECS", str(folders["SPECSPAN_SPECS"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folders[place].mkdir(parents=True, exist_ok=True)
    (folders[place] / "any name.md").write_bytes(HARBOUR.read_bytes())
    assert load_policy(policy(tmp_path)).spec.digest == harbour.digest


def test_a_pin_takes_no_other_text(harbour: Edition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the right name and size with other bytes is not what was pinned; the remedy downloads it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "harbour@7.md").write_bytes(
        HARBOUR.read_bytes().replace(b"Text behind a note.", b"Lies behind a note.")
    )
    with pytest.raises(PolicyError, match="specspan spec pull harbour@7") as caught:
        load_policy(policy(tmp_path))
    assert harbour.digest in str(caught.value)
    assert caught.value.problems[0].line == 1
