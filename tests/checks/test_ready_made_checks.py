"""Properties of all ready-made checks: what they say of themselves, and bounded time over hostile texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ready_made import build, conversation, decide

from specspan._support import plugins
from specspan.checks.check import CheckConfigError
from specspan.checks.detectors import requirements
from specspan.checks.patterns import MultiPattern
from specspan.checks.registry import kinds

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ready-made-checks.md").read_text(encoding="utf-8")
KINDS = dict(re.findall(r"^## `(\w+)`$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SECTIONS = re.findall(r"^## `(\w+)`$", PAGE, re.MULTILINE)
STREAMED = ("pii", "secrets", "links", "injection", "length", "leak", "refusal", "repetition", "citations")
CONFIGURATIONS: dict[str, Any] = {
    "injection": {"stage": "output", "roles": ["assistant"]},
    "length": {"max_words": 10_000_000, "max_sentences": 10_000_000},
}

HOSTILE = {
    "one letter": "a" * 1_000_000,
    "addresses for e-mail": "".join(f"joe{number}@example.com " for number in range(50_000)),
    "telephone numbers": "+49 30 901820 " * 20_000,
    "digits": "1234 " * 200_000,
    "scripts": "данные 数据 data בית\u200b " * 50_000,
    "zero-width": "\u200b\u200d\ufeff" * 300_000,
    "half tokens": "eyJ" * 300_000,
    "half links": "![a](https://e.test " * 50_000,
    "brackets": "[" * 1_000_000,
    "quotes": "\"'`" * 300_000,
    "keys": ("-----BEGIN PRIVATE " + "KEY-----") * 30_000,
    "passwords": "password: abcdef12 " * 50_000,
}


def test_every_ready_made_kind_has_a_section_with_its_limits() -> None:
    """Options, reasons, limits: a section without them is not done."""
    for name, section in KINDS.items():
        assert name in kinds()
        assert "| option | means | default |" in section, name
        assert "Reasons" in section, name
        assert "*Limits.*" in section, name


def test_every_option_of_a_kind_is_in_its_section() -> None:
    """Nothing can be configured that nobody can look up, but for what all kinds have."""
    shared = set(build_schema("links")) & set(build_schema("pii"))
    for name, section in KINDS.items():
        missing = [option for option in build_schema(name) if option not in shared and f"`{option}`" not in section]
        assert not missing, (name, missing)


def build_schema(kind: str) -> dict[str, Any]:
    """Return the options of a kind."""
    schema = kinds()[kind].SCHEMA
    return dict(schema["properties"] if "properties" in schema else schema["anyOf"][1]["properties"])


def test_the_checks_that_the_page_shows_can_be_built() -> None:
    """Each entry of its policy."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for entry in yaml.safe_load(shown)["checks"]:
        ((kind, configuration),) = entry.items()
        assert build(kind, configuration).ref.name == kind


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_example_of_a_schema_can_be_built(kind: str) -> None:
    """Examples are copied into policies."""
    for example in kinds()[kind].SCHEMA["examples"]:
        try:
            build(kind, example)
        except CheckConfigError as error:
            assert "model" in example, error  # noqa: PT017 - there is none here


@pytest.mark.parametrize("kind", STREAMED)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.table
def test_a_long_hostile_text_is_decided(kind: str, text: str) -> None:
    """A megabyte of anything takes seconds at most: what is quadratic in it would take hours. A tenth of the text is
    decided as the whole of it is."""
    check = build(kind, CONFIGURATIONS.get(kind))
    MultiPattern(check.traits.prefilter).hits(text)
    whole, part = (
        decide(check, conversation(each, system=text, results=[text])) for each in (text, text[: len(text) // 10])
    )
    assert (whole.outcome, whole.reason) == (part.outcome, part.reason) or kind == "repetition"
    assert len(whole.evidence) <= 64


def test_a_missing_library_is_an_error_that_names_the_extra() -> None:
    """Raised when the policy is loaded, not when a call is made."""
    with pytest.raises(CheckConfigError) as caught:
        requirements.require("no_such_module_of_anybodys", "no-such-package", "`pii`")
    assert (caught.value.remedy, "no-such-package" in caught.value.message) == (
        "Run: pip install 'specspan[checks]'",
        True,
    )


def test_no_kind_imports_its_library_before_a_policy_names_it() -> None:
    """`kinds()` imports every module of kinds: their libraries are for those who use them."""
    for module in plugins.iter_modules("specspan.checks.kinds"):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert not re.search(
            r"^(?:import|from) (?:stdnum|phonenumbers|detect_secrets|lingua|presidio\w*)\b", source, re.MULTILINE
        )
