"""People who oversee decisions, and what each may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from specspan.errors import OversightRefused

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Role(str, Enum):
    """Role of a person, the least powerful first. `ADMIN` may do everything, `VIEWER` only look."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    """Claims tasks of review, and rules on them."""
    APPROVER = "approver"
    """Approves and denies what waits for it; and all that a reviewer does."""
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for `VIEWER`."""
        return list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Person:
    """Person who acts, as whoever authenticated them calls them."""

    name: str
    """One line of text. Two names are two people."""
    role: Role = Role.REVIEWER

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            OversightRefused: it is empty, has a control character or is longer than 200 characters.
        """
        if not _NAME.fullmatch(self.name) or not self.name.strip():
            problem = f"invalid name of a person {self.name[:40]!r}"
            raise OversightRefused("invalid_name", problem, "Give one line of text, at most 200 characters.")

    def require(self, role: Role, act: str) -> None:
        """Refuse an act to a person of too weak a role.

        Raises:
            OversightRefused: with the code ``role``.
        """
        if self.role.rank < role.rank:
            problem = f"{self.name!r} is a {self.role.value} and may not {act}"
            raise OversightRefused("role", problem, f"Ask somebody of the role {role.value}.")
