"""Detectors of credentials: the plug-ins of `detect-secrets`, their patterns run by RE2.

A plug-in's patterns are those of `re`, which backtracks. Here each runs without its look-around, in time linear in the
text; what it finds is then shown to the plug-in itself, where that knows more than patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.detectors.detector import ALL, Detector, Match, PatternDetector
from specspan.checks.detectors.requirements import require
from specspan.checks.patterns import Pattern

PRIVATE_KEY = "private_key"
KEYWORD = "keyword"
_NOT_SECRET = frozenset(("IPPublicDetector",))
_LOOK_AROUND = re.compile(r"\(\?<?[!=](?:\[[^\]]*\]|\\.|[^()\[\\])*\)")
_BEGIN = "(?:(?<=\\W)|(?<=^))"
_EDGES = ('(?:\\s|=|:|"|^)', '(?:\\s|"|$)')  # of which a stream could not tell the end
_LONG_COUNT = re.compile(r"\{(\d+),1\d{3}\}")

NEWER: dict[str, str] = {
    "anthropic_api_key": r"\bsk-ant-[\w-]{24,110}",
    "github_token": r"\bgithub_pat_\w{40,90}\b",
    "google_api_key": r"\bAIza[\w-]{35}",
    "hugging_face_token": r"\bhf_[A-Za-z0-9]{34}\b",
    "openai_api_key": r"\bsk-(?:proj|svcacct|admin)-[\w-]{40,170}",
}
"""Tokens of services that `detect-secrets` does not know (yet), by label."""

_ASSIGNED = (
    r"(?i:(?:api[_ -]?key|secret[_ -]?key|access[_ -]?key|client[_ -]?secret|auth[_ -]?token|access[_ -]?token|"
    r"passwor[dt]|passwd|pwd|secret|token|passphrase))[\"']?"
    r"(?: ?(?::=|=>|=|:) ?| is )[\"'`]?[^\s\"'`,;<>]{8,100}"
)
_VALUE = re.compile(r"[\"']? ?(?::=|=>|=|:|\bis\b) ?[\"'`]?(\S+)\Z")
_KEY_HEADER = r"-{0,5}BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
_KEY_FOOTER = r"-----END[^-]{0,64}-----"
_LAZY_END = re.compile(r"\\\.\?\[[^]]*\]\*\?\Z")
_SIGNATURE = r"(?:\.[A-Za-z0-9_+/=-]*)?"
_ENTROPY = {
    "base64_high_entropy_string": r"[A-Za-z0-9+/=_-]{20,120}",
    "hex_high_entropy_string": r"[0-9a-fA-F]{32,128}",
}


@dataclass(frozen=True, slots=True)
class PluginDetector:
    """Detector of what the patterns of one plug-in match, and its validation holds for a secret."""

    label: str
    prefilter: tuple[str, ...]
    is_valid: Callable[[str], bool]
    _patterns: Sequence[Pattern] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_patterns", tuple(map(Pattern, self.prefilter)))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield every match that is valid."""
        for pattern in self._patterns:
            for start, end in pattern.find(text, ALL):
                if self.is_valid(text.text[start:end]):
                    yield Match(start, end, self.label)


@dataclass(frozen=True, slots=True)
class PrivateKeyDetector:
    """Detector of private keys as PEM writes them, from their first line to their last."""

    prefilter: tuple[str, ...] = (_KEY_HEADER,)
    _header: Pattern = field(init=False, repr=False, default_factory=lambda: Pattern(_KEY_HEADER))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield every key; one without a last line goes on to the end of the text, or to the next key."""
        headers = self._header.find(text, ALL)
        for index, (start, end) in enumerate(headers):
            following = headers[index + 1][0] if index + 1 < len(headers) else len(text.text)
            footer = text.text.find("-----END", end, following)
            close = -1 if footer < 0 else text.text.find("-----", footer + len("-----END"), following)
            last = following if close < 0 else close + len("-----")
            yield Match(start, last, PRIVATE_KEY, _KEY_FOOTER if close < 0 and last == len(text.text) else None)


@dataclass(frozen=True, slots=True)
class AssignedDetector:
    """Detector of values that are called a password, a key or a token, and look like one."""

    is_secret: Callable[[str], bool]
    prefilter: tuple[str, ...] = (_ASSIGNED,)
    _assigned: Pattern = field(init=False, repr=False, default_factory=lambda: Pattern(_ASSIGNED))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield the values, without what they are called."""
        for start, end in self._assigned.find(text, ALL):
            value = _VALUE.search(text.text[start:end])
            if value is not None and self.is_secret(value[1].rstrip(".)!?")):
                yield Match(start + value.start(1), end, KEYWORD)


def secret_detectors(names: Sequence[str] | None, *, key: str = "plugins") -> list[Detector]:
    """Return the detectors of some plug-ins, None for all but those of addresses of machines.

    Raises:
        CheckConfigError: ``detect-secrets`` is not installed, or a plug-in is unknown.
    """
    plugins = known_plugins()
    chosen = [name for name in plugins if name not in _NOT_SECRET] if names is None else names
    for index, name in enumerate(chosen):
        if name not in plugins:
            raise CheckConfigError(
                f"unknown plug-in {name!r}", f"Known are {', '.join(sorted(plugins))}.", f"{key}.{index}"
            )
    newer = [PatternDetector(label, (source,)) for label, source in NEWER.items()] if names is None else []
    return [*newer, *(each for name in sorted(chosen) for each in _detectors(name, plugins[name]()))]


def known_plugins() -> dict[str, Any]:
    """Return the classes of all plug-ins by name."""
    util = require("detect_secrets.core.plugins.util", "detect-secrets", "`secrets`")
    return {each.__name__: each for each in util.get_mapping_from_secret_type_to_class().values()}


def _detectors(name: str, plugin: Any) -> Iterator[Detector]:
    label = re.sub("[^a-z0-9]+", "_", plugin.secret_type.lower()).strip("_")
    if name == "PrivateKeyDetector":
        yield PrivateKeyDetector()
    elif name == "KeywordDetector":
        yield AssignedDetector(_looks_secret)
    elif label in _ENTROPY:
        characters = _ENTROPY[label]
        quoted = (f'"{characters}"', f"'{characters}'", f"`{characters}`")
        yield PluginDetector(label, quoted, lambda found: _is_random(plugin, found[1:-1]))
    else:
        sources = tuple(_linear(each) for each in plugin.denylist)
        validate = getattr(plugin, "is_formally_valid", None)
        yield PluginDetector(label, sources, _take if validate is None else lambda found: bool(validate(found)))


def _linear(compiled: re.Pattern[str]) -> str:
    """Return the pattern of a plug-in without what needs backtracking."""
    source = _LOOK_AROUND.sub("", compiled.pattern.replace(_BEGIN, ""))
    for edge in _EDGES:
        source = source.replace(edge, r"\b")
    source = _LONG_COUNT.sub(r"{\1,200}", source)
    source = _LAZY_END.sub(lambda _: _SIGNATURE, source)  # of a JSON Web Token: it would take nothing
    return f"(?i:{source})" if compiled.flags & re.IGNORECASE else source


def _take(_: str) -> bool:
    return True


def _is_random(plugin: Any, value: str) -> bool:
    """Return whether a value is as random as the plug-in asks for, and no id, sequence or template."""
    return plugin.calculate_shannon_entropy(value) > plugin.entropy_limit and not _is_harmless(value)


def _is_harmless(value: str) -> bool:
    from detect_secrets.filters import heuristic

    return bool(
        heuristic.is_potential_uuid(value)
        or heuristic.is_sequential_string(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_not_alphanumeric_string(value)
    )


def _looks_secret(value: str) -> bool:
    """Return whether a value is no word, no name of something and no template."""
    if len(value) < 8 or _is_harmless(value) or "://" in value or "(" in value or value.startswith(("$", "{", "*")):
        return False
    kinds = sum(
        map(
            any,
            (
                (each.isdigit() for each in value),
                (each.isupper() for each in value),
                (each.islower() for each in value),
                (not each.isalnum() for each in value[:-1]),
            ),
        )
    )
    return kinds >= 3 or (kinds == 2 and any(each.isdigit() for each in value) and len(set(value)) >= 6)
