"""`specspan incident close`: end of an incident."""

from __future__ import annotations

from specspan.cli.incident_view import sentence_command
from specspan.incidents.incident_log import IncidentLog

command = sentence_command("close", "Close an incident, and say what keeps it from coming back.", IncidentLog.end)
