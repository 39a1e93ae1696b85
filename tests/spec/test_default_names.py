"""What a spec is called where it does not say so itself."""

from __future__ import annotations

import pytest

from specspan.spec.spec import default_id, default_version, slug


@pytest.mark.parametrize(
    ("source", "id_", "version"),
    [
        ("acme.md", "acme", None),
        ("/specs/Acme Support.md", "acme-support", None),
        ("acme-2026-03-01.md", "acme", "2026-03-01"),
        ("2026-03-01_acme.v2.md", "acme-v2", "2026-03-01"),
        ("2026-03-01.md", "first", "2026-03-01"),
        ("…", "first", None),
        ("order-12026-03-01.md", "order-12026-03-01", None),
        ("order-2026-03-011.md", "order-2026-03-011", None),
        ("2026-03-01/acme.md", "acme", None),
    ],
)
def test_file_name_gives_id_and_version(source: str, id_: str, version: str | None) -> None:
    """A file's name without its date is the id, its date the version; the first clause's id stands in for no name."""
    assert (default_id(source, "first"), default_version(source)) == (id_, version)


def test_slug_is_letters_and_digits() -> None:
    """A title becomes an id that can be written behind it."""
    assert slug("Don't say it twice!") == "don_t_say_it_twice"
    assert slug("…") == ""
