"""What dashboards are built, and that Grafana's own types take them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from grafana_asked import asked
from grafana_desk import CLAUSES, page_of
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan_exporter_grafana import Naming, dashboards_of


@pytest.fixture
def pages(policy_file: Path) -> dict[str, Any]:
    """Dashboards by file name."""
    return {name: json.loads(text) for name, text in dashboards_of(load_policy(policy_file), logs=True).items()}


def test_there_is_a_page_for_every_checked_clause(pages: dict[str, Any]) -> None:
    """An overview, a page for each clause that has checks, the versions, the checks themselves."""
    clauses = {page_of(clause) for clause in CLAUSES}
    assert set(pages) == {"specspan-overview.json", "specspan-versions.json", "specspan-checks.json"} | clauses


def test_grafanas_types_read_them_back(pages: dict[str, Any]) -> None:
    """The SDK's schema of a dashboard reads each file and writes the same: no key of it is unknown there."""
    register_default_plugins()
    for page in pages.values():
        again = json.loads(json.dumps(Dashboard.from_json(page), cls=JSONEncoder))
        assert again == page


def test_every_query_has_its_data_source(pages: dict[str, Any]) -> None:
    """A query asks the data source that a variable of its page names, as its panel does, under a name of its own."""
    for page in pages.values():
        offered = {variable["name"] for variable in page["templating"]["list"] if variable["type"] == "datasource"}
        for panel in page["panels"]:
            references = [target["refId"] for target in panel.get("targets", ())]
            assert len(references) == len(set(references))
            for target in panel.get("targets", ()):
                kind = target["datasource"]["type"]
                assert target["datasource"] == {"type": kind, "uid": f"${{{kind}}}"} == panel["datasource"]
                assert kind in offered


def test_panels_stand_beside_each_other(pages: dict[str, Any]) -> None:
    """Each has an id of its own on its page, and a place that no other has, within Grafana's 24 columns."""
    for page in pages.values():
        taken: set[tuple[int, int]] = set()
        assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])
        for panel in page["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells


def test_budgets_are_shown_where_there_are_objectives(pages: dict[str, Any]) -> None:
    """A clause with an objective has an error budget and its burn over every window that alerts."""
    titles = {name: [panel["title"] for panel in page["panels"]] for name, page in pages.items()}
    assert titles["specspan-clause-stay_polite.json"].count("Budget left") == 2
    assert "Budget left" not in titles["specspan-clause-guard_numbers.json"]
    (burn,) = [each for each in pages["specspan-clause-stay_polite.json"]["panels"] if each["title"] == "Burn rate"]
    legends = {target["legendFormat"].rpartition(" ")[2] for target in burn["targets"]}
    assert legends == {"5m", "30m", "1h", "2h", "6h", "1d", "3d"}


def test_an_objective_of_all_has_no_budget(policy_file: Path) -> None:
    """Where nothing may be violated there is nothing to divide by."""
    policy_file.write_text(policy_file.read_text().replace("99.9%", "100%"))
    page = json.loads(dashboards_of(load_policy(policy_file))["specspan-clause-stay_polite.json"])
    assert "Burn rate" not in {panel["title"] for panel in page["panels"]}


def test_exemplars_are_asked_for(pages: dict[str, Any]) -> None:
    """The violations of the overview and of every clause are shown with the traces behind them."""
    shown = [
        name
        for name, page in pages.items()
        for each in page["panels"]
        for target in each.get("targets", ())
        if target.get("exemplar")
    ]
    assert set(shown) == {"specspan-overview.json", *(page_of(clause) for clause in CLAUSES)}


def test_log_records_are_shown_only_when_asked_for(policy_file: Path) -> None:
    """Without Loki no page has a panel or a variable of it."""
    without, with_them = (dashboards_of(load_policy(policy_file), logs=logs) for logs in (False, True))
    assert not asked(without, "loki")
    assert "loki" not in "".join(without.values())
    assert len(asked(with_them, "loki")) == 1 + len(CLAUSES)


def test_the_same_policy_makes_the_same_bytes(policy_file: Path) -> None:
    """Nothing of a dashboard depends on when or where it was made."""
    assert dashboards_of(load_policy(policy_file)) == dashboards_of(load_policy(policy_file))


def test_names_are_kept_apart(policy_file: Path) -> None:
    """Two policies in one Grafana share no uid and no file."""
    ours, others = (dashboards_of(load_policy(policy_file), Naming(name)) for name in ("shop", "desk"))
    assert not set(ours) & set(others)
    uids = [{json.loads(each)["uid"] for each in made.values()} for made in (ours, others)]
    assert not uids[0] & uids[1]


def test_clauses_of_like_names_have_pages_of_their_own(policy_file: Path) -> None:
    """An id that is no uid becomes one, and no other clause's; it is asked for as it is."""
    ids = ["a:b", "a.b", "x" * 60, "x" * 61]
    listed = json.dumps([{"id": each, "title": "Up", "text": "Up.", "authority": "root"} for each in ids])
    policy_file.with_name("spec.yaml").write_text(f"id: desk\nladder: [root]\nclauses: {listed}\n")
    bound = {each: {"checks": [{"pattern": {"any": ["x"], "reason": "x"}}]} for each in ids}
    policy_file.write_text(json.dumps({"spec": "spec.yaml", "clauses": bound}))
    made = {name: text for name, text in dashboards_of(load_policy(policy_file)).items() if "clause" in name}
    assert len(made) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", json.loads(text)["uid"]) for text in made.values())
    assert any('specspan_finding_clause="a:b"' in each.query["expr"] for each in asked(made, "prometheus"))


def test_the_command_writes_them(policy_file: Path, tmp_path: Path) -> None:
    """`specspan grafana dashboards` writes a file for every page, and none besides that Grafana would take for one."""
    folder = tmp_path / "pages"
    result = CliRunner().invoke(cli, ["grafana", "dashboards", str(policy_file), str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.glob("*.json")} == set(dashboards_of(load_policy(policy_file)))
