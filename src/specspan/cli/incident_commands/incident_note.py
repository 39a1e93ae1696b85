"""`specspan incident note`: a sentence for the history of an incident."""

from __future__ import annotations

from specspan.cli.incident_view import sentence_command
from specspan.incidents.incident_log import IncidentLog

command = sentence_command("note", "Add a note to an incident, also to one that is closed.", IncidentLog.note)
