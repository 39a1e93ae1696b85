"""What a spec is called where it does not say so itself."""

from __future__ import annotations

import re
from pathlib import PurePath

_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


def slug(text: str) -> str:
    """``text`` as an id: lower case, words joined by ``_``; empty where it has no letter or digit."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def version_of(source: str) -> str | None:
    """The date in a file's name; None where there is none. Two texts may share it: the digest tells them apart."""
    date = _DATE.search(PurePath(source).stem)
    return date[0] if date else None


def id_of(source: str, first_clause: str) -> str:
    """The file's name without its date, else the id of the document's first clause."""
    return slug(_DATE.sub("", PurePath(source).stem)).replace("_", "-") or first_clause
