"""A link from the terminal to a trace in whatever page shows traces: ``SPECSPAN_TRACE_URL`` says where that is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

import click

VARIABLE = "SPECSPAN_TRACE_URL"
_EXAMPLE = "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"
_PLACE = re.compile(r"\{([^{}]*)\}")


def trace_link(trace_id: str, span_id: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The address of a trace, of one span in it where the address has a place for that; None where none is set.

    Raises:
        ClickException: the address has no place for a trace, or one for something else.
    """
    template = environ.get(VARIABLE, "").strip()
    if not template:
        return None
    known = {"trace_id": trace_id, "span_id": span_id or ""}
    places = _PLACE.findall(template)
    if "trace_id" not in places or not set(places) <= set(known):
        raise click.ClickException(
            f"{VARIABLE} is {template!r}: it needs {{trace_id}}, may have {{span_id}}, and nothing else in braces; "
            f"for Jaeger: {_EXAMPLE}"
        )
    return _PLACE.sub(lambda place: quote(known[place[1]], safe=""), template)
