"""Writer of a spec in readable YAML: texts of several lines stand as blocks."""

from __future__ import annotations

import re
from typing import Any

import yaml

from specspan.documents.yaml import parse_scalar
from specspan.spec.spec import Spec
from specspan.spec.spec_json import spec_to_mapping

FORMAT = "yaml"

_WIDTH = 120
# A block keeps its text unchanged; space at the edges and control characters are safer between quotes.
_BLOCK = re.compile(
    r"(?:[^\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*)(?:\n+[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+)+"
)
_BASE: Any = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper


def write(spec: Spec) -> str:
    """Return the text of a YAML file."""
    return str(yaml.dump(spec_to_mapping(spec), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH))


class _Dumper(_BASE):  # type: ignore[misc]  # PyYAML's stubs do not say which of the two it is
    """YAML dumper whose output `specspan.documents.yaml` reads back unchanged."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    style = None if parse_scalar(text) == text else "'"
    if "\n" in text:
        style = "|" if _BLOCK.fullmatch(text) else '"'
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
