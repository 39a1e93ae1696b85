"""Prometheus rules, alerts and runbooks from a specspan policy."""

from specspan_exporter_prometheus.links import Links
from specspan_exporter_prometheus.rules import Rules, rules_of
from specspan_exporter_prometheus.runbooks import runbooks_of
from specspan_exporter_prometheus.windows import Pace

__all__ = ["Links", "Pace", "Rules", "rules_of", "runbooks_of"]
