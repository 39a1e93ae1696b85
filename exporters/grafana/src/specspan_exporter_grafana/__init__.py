"""Grafana dashboards, alert rules and provisioning from a specspan policy."""

from specspan_exporter_grafana.alert_rules import alert_rules_of
from specspan_exporter_grafana.dashboards import dashboards_of
from specspan_exporter_grafana.naming import Naming
from specspan_exporter_grafana.provisioning import Addresses, provisioning_of

__all__ = ["Addresses", "Naming", "alert_rules_of", "dashboards_of", "provisioning_of"]
