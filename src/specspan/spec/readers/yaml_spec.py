"""Reader of a spec in YAML: the keys of the JSON form, written by hand or by ``specspan spec convert``."""

from __future__ import annotations

from specspan.documents.yaml import read_yaml
from specspan.errors import SpecError
from specspan.spec.read import Origin, TextKind, classify_text
from specspan.spec.spec import Spec
from specspan.spec.structured import LIMITS, read_structured


def reads(text: str) -> bool:
    """Return whether the text begins with a key of a spec and has ``clauses`` at its top."""
    return classify_text(text) is TextKind.YAML


def read(text: str, origin: Origin) -> Spec:
    """Return the spec of a YAML file.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    return read_structured(read_yaml(origin.source, text, error=SpecError, limits=LIMITS), origin)
