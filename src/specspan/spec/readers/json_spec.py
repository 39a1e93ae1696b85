"""Reader of a spec in JSON, the form that ``specspan spec show --json`` prints; its keys: `specspan.spec.entries`."""

from __future__ import annotations

from specspan.documents.json import read_json
from specspan.errors import SpecError
from specspan.spec.read import Origin, TextKind, classify_text
from specspan.spec.spec import Spec
from specspan.spec.structured import LIMITS, read_structured


def reads(text: str) -> bool:
    """Return whether the text is one JSON object."""
    return classify_text(text) is TextKind.JSON


def read(text: str, origin: Origin) -> Spec:
    """Return the spec of a JSON file.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    return read_structured(read_json(origin.source, text, error=SpecError, limits=LIMITS), origin)
