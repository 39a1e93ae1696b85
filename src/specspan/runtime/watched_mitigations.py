"""Mitigations in force in this process: the file that is watched, and the keys that may sign it."""

from __future__ import annotations

import os
from pathlib import Path

from specspan.errors import ConfigurationError, Problem
from specspan.ledger.signed_note import PublicKey
from specspan.ledger.signing_keys import configured_signer, parse_public_keys
from specspan.policy.amended_policy import with_mitigations
from specspan.policy.mitigation_file import read_mitigations
from specspan.policy.policy import Policy

KEYS_VARIABLE = "SPECSPAN_MITIGATION_KEYS"


def add_mitigations(policy: Policy, path: str, keys: str | None) -> Policy:
    """Return a policy with the mitigations of a file, of which there may be none yet.

    Args:
        policy: the policy as its own files have it.
        path: the file of mitigations.
        keys: public keys that may sign it, or the path of a file of them.

    Raises:
        ConfigurationError: no key is known, or the file was not signed by one, or cannot be read.
    """
    return with_mitigations(policy, read_mitigations(Path(path).absolute(), mitigation_keys(keys)))


def mitigation_keys(keys: str | None) -> tuple[PublicKey, ...]:
    """Return the keys that may sign mitigations: those that are named, else that of the key that signs here.

    Raises:
        ConfigurationError: there is none, or what is named holds none.
    """
    if keys is None:
        signer = configured_signer(os.environ)
        if signer is None:
            remedy = "Set it to the public key, or to a file of public keys; `specspan ledger keys` prints them."
            raise ConfigurationError(KEYS_VARIABLE, Problem("no key that may sign mitigations", remedy))
        return (signer.public_key,)
    try:
        text = Path(keys).read_text(encoding="ascii") if "+" not in keys or Path(keys).is_file() else keys
    except (OSError, ValueError) as error:
        problem = Problem(f"the keys cannot be read: {error}", "Name a file of public keys.")
        raise ConfigurationError(KEYS_VARIABLE, problem) from error
    return parse_public_keys(text, KEYS_VARIABLE)
