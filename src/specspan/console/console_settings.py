"""Settings of one console, as the command line gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specspan.console.access.authentication import Authentication


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Store that is shown, the documents beside it, and who may look."""

    db: str
    """Address of the store."""
    authentication: Authentication
    hosts: frozenset[str]
    """Names by which browsers may ask for this console, each with its port where that is not the scheme's."""
    policy: Path | None = None
    """Policy file that the page of policies loads."""
    environment: str | None = None
    specs: tuple[Path, ...] = ()
    """Spec files whose text is shown, beside those of the policy and of the demo."""
    is_secure: bool = False
    """True where browsers reach the console over HTTPS: cookies are then sent over nothing else."""
    threads: int = 4
    """Number of pages that are made at one time."""
