"""Names: one table, and the page that explains it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from recording import KIND, SSN, Recording, decision

from specspan.record import conventions
from specspan.record.settings import Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")


def test_every_name_of_ours_is_explained() -> None:
    """Whatever `specspan.*` name can be recorded stands in docs/telemetry.md."""
    names = {name: value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
    ours = [value for value in names.values() if value.startswith("specspan.")]
    spelt = set(re.findall(r"specspan\.[a-z_.]*[a-z_]", PAGE))
    assert len(ours) > 50
    assert [name for name in ours if name.rstrip(".") not in spelt] == []


def test_no_name_has_two_meanings() -> None:
    """Two constants never spell one name."""
    values = [value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)]
    assert len(values) == len(set(values))


def test_a_record_has_the_form_that_is_shown() -> None:
    """The decision record in docs/telemetry.md has the keys of a real one, in their order."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = json.loads(block)
    recording = Recording(Settings(digest_key=b"k"))
    recording.call(decision(SSN, KIND))
    (made,) = recording.records
    recording.close()
    assert list(made) == list(shown)
    for part in ("service", "call", "counts", "stream"):
        assert list(made[part]) == list(shown[part])
    assert list(made["findings"][0]) == list(shown["findings"][0])
