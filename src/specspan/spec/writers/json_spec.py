"""Writer of a spec in JSON."""

from __future__ import annotations

import json

from specspan.spec.spec import Spec
from specspan.spec.spec_json import spec_to_mapping

FORMAT = "json"


def write(spec: Spec) -> str:
    """Return the text of a JSON file."""
    return json.dumps(spec_to_mapping(spec), indent=2, ensure_ascii=False) + "\n"
