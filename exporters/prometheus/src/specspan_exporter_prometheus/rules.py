"""Rule file of Prometheus for a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specspan.calibration.calibration_file import Calibration
from specspan.policy.policy import Policy
from specspan_exporter_prometheus.clauses import clause_alerts
from specspan_exporter_prometheus.corrected import corrected_rules
from specspan_exporter_prometheus.health import health_alerts
from specspan_exporter_prometheus.links import Links
from specspan_exporter_prometheus.recording import recording_groups
from specspan_exporter_prometheus.windows import Pace
from specspan_exporter_prometheus.yaml_text import to_yaml

_ALERTS_S = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """Groups of rules, as Prometheus reads them."""

    groups: tuple[dict[str, Any], ...]
    policy_digest: str

    @property
    def text(self) -> str:
        """Return the text of the rule file."""
        head = (
            f"# Made by `specspan prometheus rules` from the policy {self.policy_digest}. Make it anew to change it.\n"
        )
        return head + to_yaml({"groups": list(self.groups)})


def rules_of(
    policy: Policy, links: Links | None = None, pace: Pace | None = None, calibration: Calibration | None = None
) -> Rules:
    """Return recording and alerting rules for the clauses of a policy, and for specspan itself.

    With a calibration, shares of violations that judges find are also recorded without the judges' errors.
    """
    links, pace = links or Links(), pace or Pace()
    groups = (
        *recording_groups(pace),
        _group(
            "specspan-corrected", [] if calibration is None else [*corrected_rules(policy, calibration, pace)], pace
        ),
        _group("specspan-clauses", [alert.to_rule() for alert in clause_alerts(policy, links, pace)], pace),
        _group("specspan-health", [alert.to_rule() for alert in health_alerts(links, pace)], pace),
    )
    return Rules(tuple(group for group in groups if group["rules"]), policy.digest)


def _group(name: str, rules: list[dict[str, Any]], pace: Pace) -> dict[str, Any]:
    return {"name": name, "interval": pace.interval(_ALERTS_S), "rules": rules}
