"""Access to the console: tokens that work once, names it answers to, forms of other sites, headers, addresses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from console_visits import HOST, Console

from specspan.cli.main import cli
from specspan.console.access.return_path import local_path
from specspan.console.console_server import is_loopback, loopback_hosts


def test_a_stranger_sees_nothing(console: Console) -> None:
    """Without a token no page, no event and no form is answered, whatever its address."""
    stranger = console.stranger()
    for path in ("/", "/traces", "/traces/x", "/decisions/x", "/events", "/nowhere", "/enter/", "/static", "/staticx"):
        assert stranger.get(path, follow_redirects=False).status_code == 401, path
    assert stranger.post("/", follow_redirects=False).status_code == 401


def test_a_token_works_once(console: Console) -> None:
    """The address that let one browser in lets no other in; the one that was printed then does."""
    used, fresh = console.addresses
    stranger = console.stranger()
    assert stranger.get(used, follow_redirects=False).status_code == 403
    assert stranger.get("/enter?token=", follow_redirects=False).status_code == 403
    assert stranger.get("/enter", follow_redirects=False).status_code == 403
    assert stranger.get(fresh, follow_redirects=False).status_code == 303
    assert stranger.get("/").status_code == 200


def test_a_session_that_somebody_else_chose_is_not_taken_up(console: Console) -> None:
    """A browser that brings a session's number along gets a new one when it comes in; the old one stays worthless."""
    stranger = console.stranger()
    stranger.cookies.set("specspan-console", "chosen-by-another")
    response = stranger.get(console.addresses[-1], follow_redirects=False)
    assert response.cookies["specspan-console"] != "chosen-by-another"
    other = console.stranger()
    other.cookies.set("specspan-console", "chosen-by-another")
    assert other.get("/").status_code == 401
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "samesite=lax" in response.headers["set-cookie"].lower()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8321", "127.0.0.1", "127.0.0.1:80", ""])
def test_other_names_are_not_answered(host: str, console: Console) -> None:
    """A page of another name that leads here (DNS rebinding) gets nothing, with a session or without."""
    assert console.ask("/", headers={"host": host}).status_code == 421
    assert console.ask(console.addresses[-1], headers={"host": host}).status_code == 421
    assert console.ask("/static/console.js", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HOST}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str], console: Console) -> None:
    """What the browser says of a form's origin is believed where it speaks against the form."""
    response = console.client.post("/", headers=headers)
    assert response.status_code == 403
    assert "another site" in response.text


def test_every_answer_says_what_a_browser_may_not_do(console: Console) -> None:
    """No frame, no script but ours, no inline style, nothing from elsewhere; also on refusals."""
    for response in (
        console.ask("/"),
        console.ask("/nowhere"),
        console.stranger().get("/"),
        console.ask("/static/console.js"),
    ):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["x-content-type-options"] == "nosniff"
    assert console.ask("/").headers["cache-control"] == "no-store"


def test_pages_have_no_inline_script_and_no_inline_style(console: Console, demo_db: Path) -> None:
    """The policy would refuse them, so a page that had one would be broken."""
    for path in ("/", "/traces", "/traces?verdict=violated"):
        page = console.get(path)
        assert "style=" not in page
        assert "onclick" not in page
        assert "<script>" not in page
        assert "//" not in page.replace("http://www.w3.org", "").replace("<!--", "") or "https://" not in page


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "evil.example",
        "/\t/evil.example", "javascript:alert(1)", "/\n/evil.example", "", None, "///evil.example",
    ],
)  # fmt: skip
def test_links_lead_to_this_console_alone(wanted: Any) -> None:
    """A link with another site as the place to return to leads to the start page."""
    assert local_path(wanted) == "/"


def test_links_lead_back(console: Console) -> None:
    """Whoever followed a deep link is there after coming in."""
    assert local_path("/traces?clause=a&outcome=violated") == "/traces?clause=a&outcome=violated"
    response = console.stranger().get(f"{console.addresses[-1]}&next=/traces", follow_redirects=False)
    assert response.headers["location"] == "/traces"
    response = console.stranger().get(f"{console.addresses[-1]}&next=//evil.example", follow_redirects=False)
    assert response.headers["location"] == "/"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])
def test_beyond_this_machine_it_refuses_to_start(host: str, demo_db: Path) -> None:
    """Without an authentication nobody else's machine can reach it; the message names what to do."""
    result = CliRunner().invoke(cli, ["console", "--db", str(demo_db), "--host", host, "--port", "0"])
    assert result.exit_code != 0
    assert "nothing says who may look" in str(result.exception)


def test_names_of_this_machine() -> None:
    """All of 127.0.0.0/8 is this machine; a name that only looks like it is none of it."""
    assert all(map(is_loopback, ("127.0.0.1", "127.5.5.5", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example")))
    assert loopback_hosts(8321) == {"127.0.0.1:8321", "localhost:8321", "[::1]:8321"}
    assert "127.0.0.1" in loopback_hosts(80)


def test_events_are_for_those_who_came_in(console: Console, open_on: Callable[..., Console]) -> None:
    """The stream of live updates tells when something changed, and to nobody else."""
    assert console.stranger().get("/events").status_code == 401
