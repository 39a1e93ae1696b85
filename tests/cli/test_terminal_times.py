"""Times and durations as people write and read them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from specspan.cli.terminal import format_duration, format_local, format_short, format_utc, parse_since

NOW = 1_800_000_000 * 10**9


@pytest.fixture(autouse=True)
def in_kolkata() -> Iterator[None]:
    """Half an hour beside the full hour, so that no offset is forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604800), ("2w", 1209600), (" 1h ", 3600)]
)
def test_an_age_counts_back_from_now(text: str, seconds: int) -> None:
    """Seconds, minutes, hours, days and weeks."""
    assert parse_since(text, NOW) == NOW - seconds * 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-01", 1793471400),
        ("2026-11-01T08:30", 1793502000),
        ("2026-11-01T08:30:00Z", 1793521800),
        ("2026-11-01T08:30:00+02:00", 1793514600),
    ],
)
def test_a_date_is_local_unless_it_names_its_offset(text: str, seconds: int) -> None:
    """Midnight here, not in Greenwich."""
    assert parse_since(text, NOW) == seconds * 10**9


@pytest.mark.parametrize("text", ["", "yesterday", "15", "15 parsecs", "-2h", "2026-13-01", "9999999h", "0001-01-01x"])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    """The message names the text and shows both forms."""
    with pytest.raises(ValueError, match=r"^invalid time .*\. Write an age \(15m, 2h, 7d\) or a date"):
        parse_since(text, NOW)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 µs"),
        (412_300, "412 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (82_000_000, "82 ms"),
        (1_240_000_000, "1.24 s"),
        (59_940_000_000, "59.9 s"),
        (59_960_000_000, "1 min 00 s"),
        (185_000_000_000, "3 min 05 s"),
        (7_500_000_000_000, "2 h 05 min"),
    ],
)
def test_durations_are_in_the_unit_that_suits_them(duration_ns: int, text: str) -> None:
    """No more digits than anybody reads."""
    assert format_duration(duration_ns) == text


def test_people_see_local_time_and_programs_utc() -> None:
    """One moment in both forms."""
    assert format_local(NOW) == "2027-01-15 13:30:00"
    assert format_utc(NOW + 5_000) == "2027-01-15T08:00:00.000005Z"


@pytest.mark.parametrize(
    ("age_s", "text"), [(0, "01-15 13:30:00"), (86_400, "01-14 13:30:00"), (300 * 86_400, "2026-03-21 13:30")]
)
def test_lists_leave_out_what_everybody_knows(age_s: int, text: str) -> None:
    """The year of the last half year, and the seconds of what is older."""
    assert format_short(NOW - age_s * 10**9, NOW) == text


def test_a_clock_that_is_ahead_gets_its_year() -> None:
    """What claims to come from the future is not made to look recent."""
    assert format_short(NOW + 10**9, NOW) == "2027-01-15 13:30"


def test_a_day_after_all_that_can_be_stored_is_the_last_moment() -> None:
    assert parse_since("9999-12-31", NOW) == 2**63 - 1
