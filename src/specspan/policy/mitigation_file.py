"""File of mitigations: a signed note (https://c2sp.org/signed-note) whose text is a JSON list."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from specspan._support.files import read_text_file
from specspan.decision import Action
from specspan.errors import ConfigurationError, Problem
from specspan.ledger.signed_note import InvalidNote, PublicKey, Signer, UnknownKey, open_note
from specspan.policy.mitigation import ACTIONS, OPTIONAL_TEXTS, TEXTS, TIMES, Mitigation

MAX_BYTES = 1 << 20
"""Size above which a file is refused."""


def read_mitigations(path: str | os.PathLike[str], keys: Sequence[PublicKey]) -> tuple[Mitigation, ...]:
    """Return the mitigations of a file that one of ``keys`` signed; none where there is no file.

    Raises:
        ConfigurationError: it cannot be read, nobody known signed it, or it has another form.
    """
    try:
        file = read_text_file(path, what="mitigations", max_bytes=MAX_BYTES, error=ConfigurationError)
    except ConfigurationError:
        if os.path.lexists(path):
            raise
        return ()
    try:
        text = open_note(file.text, keys)
    except UnknownKey as unknown:
        signers = ", ".join(map(str, unknown.args))
        problem = Problem(f"signed by unknown keys ({signers})", "Name the key in SPECSPAN_MITIGATION_KEYS.")
        raise ConfigurationError(file.source, problem) from unknown
    except InvalidNote as invalid:
        problem = Problem(f"{invalid}", "Write it with `specspan mitigate`; it was changed since.")
        raise ConfigurationError(file.source, problem) from invalid
    return tuple(_parse(each, file.source) for each in _list(text, file.source))


def signed_text(mitigations: Iterable[Mitigation], signer: Signer) -> str:
    """Return the text of a file with these mitigations.

    Raises:
        MissingDependency: `cryptography` is not installed.
    """
    return signer.sign(json.dumps([each.to_json() for each in mitigations], indent=1, sort_keys=True) + "\n")


def _list(text: str, source: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(source, "invalid JSON") from error
    if not isinstance(value, list):
        raise _malformed(source, "the text is not a list")
    return value


def _parse(value: Any, source: str) -> Mitigation:
    if not isinstance(value, dict) or set(value) - {*TEXTS, *OPTIONAL_TEXTS, *TIMES}:
        raise _malformed(source, "a mitigation has unknown members")
    texts = {name: value.get(name) for name in TEXTS}
    if not all(isinstance(text, str) and text for text in texts.values()):
        raise _malformed(source, "a mitigation lacks one of id, clause, action, reason and by")
    optional = {name: value.get(name) for name in OPTIONAL_TEXTS}
    if not all(text is None or isinstance(text, str) for text in optional.values()):
        raise _malformed(source, "a tool or a model is not text")
    times = {name: value.get(name) for name in TIMES}
    if not all(type(moment) is int for moment in times.values()):
        raise _malformed(source, "a time is not a number of nanoseconds")
    if texts["action"] not in [action.value for action in ACTIONS]:
        raise _malformed(source, f"unknown action {texts['action']!r}")
    return Mitigation(**{**texts, **optional, **times, "action": Action(texts["action"])})  # type: ignore[arg-type]


def _malformed(source: str, problem: str) -> ConfigurationError:
    return ConfigurationError(source, Problem(problem, "Write it with `specspan mitigate`."))
