"""What `docs/policy-reload.md` shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import specspan
from documents import ROOT
from specspan.record import conventions
from specspan.runtime.configuration import current_configuration
from specspan.runtime.environment import RELOAD_S

PAGE = (ROOT / "docs" / "policy-reload.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with the policy that the page configures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECSPAN_DECISION_EXPORTER", "none")
    Path("rules.md").write_text("# Rules {#rules}\n\n## Be kind {#be_kind authority=user}\n\nAlways.\n")
    Path("policy.yaml").write_text("spec: rules.md\n")
    yield
    specspan.shutdown()


def test_the_program_watches_its_policy() -> None:
    """The one line on the page starts a watcher, at the interval that the text names."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})
    what = current_configuration()
    assert what is not None
    assert what.watcher is not None
    assert RELOAD_S == 2.0  # "every two seconds"


def test_the_page_names_the_metrics_as_they_are() -> None:
    """Both metrics, the attribute, and the gauge as Prometheus calls it."""
    for name in (conventions.METRIC_POLICY_RELOAD, conventions.METRIC_POLICY_STALE, conventions.RELOAD_RESULT):
        assert f"`{name}`" in PAGE
    assert conventions.METRIC_POLICY_STALE.replace(".", "_") in PAGE
