"""The tree that Grafana reads, and what happens to the files of others when it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from grafana_desk import page_of

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan_exporter_grafana import Addresses, provisioning_of


def provision(policy_file: Path, folder: Path, *options: str) -> Result:
    """Run the command."""
    arguments = ["grafana", "provision", str(policy_file), str(folder), *options]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def tree(folder: Path) -> dict[str, bytes]:
    """All files under a folder."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture
def written(policy_file: Path, tmp_path: Path) -> Path:
    """A tree."""
    folder = tmp_path / "provisioning"
    result = provision(policy_file, folder)
    assert result.exit_code == 0, result.output
    return folder


def read(folder: Path, path: str) -> Any:
    """A file of the tree."""
    return yaml.safe_load((folder / path).read_text(encoding="utf-8"))


def test_the_tree_is_whole(written: Path) -> None:
    """Data sources, dashboards with their provider, and alert rules are where Grafana looks for them."""
    assert {path for path in tree(written) if "clause" not in path} == {
        "specspan.manifest",
        "datasources/specspan.yaml",
        "dashboards/specspan.yaml",
        "dashboards/specspan/specspan-checks.json",
        "dashboards/specspan/specspan-overview.json",
        "dashboards/specspan/specspan-versions.json",
        "alerting/specspan.yaml",
        "alerting/specspan-contact-points.yaml.example",
    }
    (provider,) = read(written, "dashboards/specspan.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards/specspan"


def test_alerts_ask_a_data_source_that_is_there(written: Path) -> None:
    """Rules, exemplars and data sources name each other by uid."""
    sources = {each["uid"]: each for each in read(written, "datasources/specspan.yaml")["datasources"]}
    rules = [rule for group in read(written, "alerting/specspan.yaml")["groups"] for rule in group["rules"]]
    asked = {each["datasourceUid"] for rule in rules for each in rule["data"]} - {"__expr__"}
    assert asked == {"specspan-prometheus"} <= set(sources)
    (way,) = sources["specspan-prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert way == {"name": "trace_id", "datasourceUid": "specspan-tempo"}
    assert way["datasourceUid"] in sources


def test_the_example_of_contact_points_is_one(written: Path) -> None:
    """It is no file that Grafana reads, and, renamed, sends pages to one place and tickets to another."""
    example = "alerting/specspan-contact-points.yaml.example"
    assert not example.endswith((".yaml", ".yml", ".json"))
    told = read(written, example)
    (policy,) = told["policies"]
    receivers = {point["name"] for point in told["contactPoints"]}
    assert {policy["receiver"], *(route["receiver"] for route in policy["routes"])} == receivers


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ((), {"prometheus", "tempo", "jaeger"}),
        (("--tempo-url", "", "--loki-url", "http://loki:3100"), {"prometheus", "jaeger", "loki"}),
    ],
)
def test_data_sources_are_those_with_an_address(
    policy_file: Path, tmp_path: Path, options: tuple[str, ...], kinds: set[str]
) -> None:
    """Loki is there when asked for, others unless their address is empty; ways lead to the traces that there are."""
    assert provision(policy_file, tmp_path / "tree", *options).exit_code == 0
    sources = read(tmp_path / "tree", "datasources/specspan.yaml")["datasources"]
    assert {each["type"] for each in sources} == kinds
    uids = {each["uid"] for each in sources}
    (prometheus,) = [each for each in sources if each["type"] == "prometheus"]
    assert {way["datasourceUid"] for way in prometheus["jsonData"]["exemplarTraceIdDestinations"]} <= uids


def test_without_any_there_is_no_file_of_them(policy_file: Path) -> None:
    """Who has data sources already gets none."""
    files = provisioning_of(load_policy(policy_file), Addresses(None, None, None), prometheus_uid="mine")
    assert not any(path.startswith("datasources/") for path in files)


def test_again_gives_the_same_bytes(policy_file: Path, written: Path, tmp_path: Path) -> None:
    """Written again, or elsewhere, the tree is the same."""
    before = tree(written)
    assert provision(policy_file, written).exit_code == 0
    assert provision(policy_file, tmp_path / "elsewhere").exit_code == 0
    assert tree(written) == before == tree(tmp_path / "elsewhere")


def test_a_changed_policy_changes_what_was_written(policy_file: Path, written: Path) -> None:
    """Pages of clauses that are gone go, too; the rest is written anew."""
    policy_file.write_text(policy_file.read_text().partition("  be:brief")[0].replace("99.9%", "99%"))
    result = provision(policy_file, written)
    assert result.exit_code == 0
    assert "2 taken away" in result.output
    assert {path for path in tree(written) if "clause" in path} == {
        "dashboards/specspan/specspan-clause-guard_numbers.json",
        "dashboards/specspan/specspan-clause-stay_polite.json",
    }
    assert "0.144" in (written / "alerting/specspan.yaml").read_text()


@pytest.mark.parametrize("mine", ["alerting/specspan.yaml", "dashboards/specspan/specspan-overview.json"])
def test_a_file_of_others_is_left_alone(policy_file: Path, tmp_path: Path, mine: str) -> None:
    """A file that specspan did not write is named, and nothing is written, unless it is told to."""
    folder = tmp_path / "tree"
    (folder / mine).parent.mkdir(parents=True)
    (folder / mine).write_text("mine")
    result = provision(policy_file, folder)
    assert result.exit_code == 1
    assert str(folder / mine) in result.output
    assert "--force" in result.output
    assert tree(folder) == {mine: b"mine"}
    assert provision(policy_file, folder, "--force").exit_code == 0
    assert (folder / mine).read_bytes() != b"mine"


def test_an_edited_file_is_left_alone(policy_file: Path, written: Path) -> None:
    """A page that somebody changed is not written over, and not taken away with its clause."""
    page = written / f"dashboards/specspan/{page_of('be:brief-1.a')}"
    page.write_text("{}")
    for policy in (policy_file.read_text(), policy_file.read_text().partition("  be:brief")[0]):
        policy_file.write_text(policy)
        result = provision(policy_file, written)
        assert result.exit_code == 1
        assert str(page) in result.output
        assert page.read_text() == "{}"


def test_files_beside_the_tree_stay(policy_file: Path, written: Path) -> None:
    """What has another name is nobody's business, a tree under another name included."""
    (written / "alerting" / "mine.yaml").write_text("mine")
    assert provision(policy_file, written, "--name", "shop").exit_code == 0
    assert provision(policy_file, written, "--force").exit_code == 0
    assert (written / "alerting" / "mine.yaml").read_text() == "mine"
    assert (written / "dashboards/shop/shop-overview.json").exists()


def test_a_manifest_that_names_files_outside_takes_nothing_away(policy_file: Path, written: Path) -> None:
    """Only paths within the tree are anybody's to remove."""
    outside = written.parent / "outside.txt"
    outside.write_text("mine")
    manifest = written / "specspan.manifest"
    known = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(known | {"../outside.txt": "sha256:0", str(outside): "sha256:0"}))
    assert provision(policy_file, written, "--force").exit_code == 0
    assert outside.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(policy_file: Path, tmp_path: Path) -> None:
    """A file where a folder should be is said so, with its name."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "alerting").write_text("a file")
    result = provision(policy_file, tmp_path / "tree")
    assert result.exit_code == 1
    assert "alerting" in result.output


def test_a_name_that_is_no_uid_is_refused(policy_file: Path, tmp_path: Path) -> None:
    """What would not do as a uid or a folder is refused with its name."""
    result = provision(policy_file, tmp_path / "tree", "--name", "../up")
    assert result.exit_code == 2
    assert "../up" in result.output
