"""Alerts of violations, sent to Alertmanager and to signed webhooks."""

from specspan._support.signed_posts import signature
from specspan_exporter_alerts.alertmanager import AlertmanagerExporter
from specspan_exporter_alerts.gate import Gate
from specspan_exporter_alerts.webhook import WebhookExporter

__all__ = ["AlertmanagerExporter", "Gate", "WebhookExporter", "signature"]
