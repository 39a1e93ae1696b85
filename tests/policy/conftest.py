"""A small spec of a house, in a folder of its own that a test works in."""

from __future__ import annotations

from pathlib import Path

import pytest

HOUSE = """\
---
id: house
version: "3"
ladder: [owner, tenant, guest]
---
# About the house {#about}

## Doors {#doors}

### Lock the door {#lock_door authority=owner}

Always.

### Greet people {#greet_people authority=tenant}

With a smile.

# Style {#style}

## Be brief {#be_brief authority=guest}

Rarely more than three lines.
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with ``house.md`` in it."""
    monkeypatch.chdir(tmp_path)
    Path("house.md").write_text(HOUSE, encoding="utf-8")
    return tmp_path
