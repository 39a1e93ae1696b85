"""People of the console: roles, the headers of a trusted proxy, OpenID Connect, and where it may listen for whom."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from click.testing import CliRunner
from console_visits import HOST, ORIGIN, Console
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from specspan.cli.main import cli
from specspan.console.access.openid import OpenId, OpenIdSettings
from specspan.console.access.sessions import Sessions
from specspan.console.access.trusted_proxy import TrustedProxy, parse_network
from specspan.console.console_server import AccessOptions, check_access
from specspan.errors import ConfigurationError
from specspan.review.review_queue import ReviewQueue
from specspan.sqlite import Filter, Reader
from specspan.stores.people import Person, Role

ROLES = {"readers": Role.VIEWER, "raters": Role.REVIEWER, "owners": Role.ADMIN}
ISSUER = "https://login.example"


def proxy(address: str = "127.0.0.0/8", **options: Any) -> TrustedProxy:
    """Return the authentication of a proxy; Starlette's test client comes from an address that tests name."""
    return TrustedProxy([parse_network(address)], "X-Forwarded-User", "X-Forwarded-Groups", ROLES, **options)


def as_(console: Console, name: str, groups: str, address: str = "127.0.0.1") -> TestClient:
    """Return a browser behind a proxy at an address."""
    headers = {"x-forwarded-user": name, "x-forwarded-groups": groups}
    return TestClient(console.client.app, base_url=ORIGIN, headers=headers, client=(address, 5000))


def task_of(db: Path) -> str:
    """Open a task about the demo's calls, and return its id."""
    with Reader(db) as reader:
        record = reader.decisions(Filter(outcome="violated", limit=1))[0]
    queue = ReviewQueue(str(db))
    clause = next(each["clause"] for each in record["findings"] if each["outcome"] == "violated")
    task = queue.open(record["id"], clause, by=Person("ada", Role.REVIEWER))
    queue.close()
    return task.id


def form_of(page: str, **fields: str) -> dict[str, str]:
    """Return the hidden fields of a page's form, and others."""
    return dict(re.findall(r'name="(form_token|ruling_id)" value="([^"]+)"', page)) | fields


def test_each_role_may_what_it_may(demo_db: Path, open_on: Callable[..., Console]) -> None:
    """A viewer looks, a reviewer rules, an admin reads who looked; forms of people without the role are refused."""
    task_id = task_of(demo_db)
    console = open_on(demo_db, authentication=proxy())
    viewer, reviewer, admin = (
        as_(console, "vera", "readers"),
        as_(console, "rob", "raters, x"),
        as_(console, "ann", "owners"),
    )
    page = viewer.get(f"/reviews/{task_id}").text
    assert "You cannot rule on this task" in page
    assert viewer.post(f"/reviews/{task_id}/rule", data=form_of(page, kind="confirm", reason="x")).status_code == 403
    assert [each.get("/audit").status_code for each in (viewer, reviewer, admin)] == [403, 403, 200]
    assert viewer.get("/reviews/export").status_code == 403
    page = reviewer.get(f"/reviews/{task_id}").text
    fields = form_of(page, kind="overrule", outcome="complied", reason="she had asked for it")
    ruled = reviewer.post(f"/reviews/{task_id}/rule", data=fields, follow_redirects=False)
    assert ruled.status_code == 303, ruled.text
    again = reviewer.post(f"/reviews/{task_id}/rule", data=fields, follow_redirects=False)
    assert again.status_code == 303  # the form was sent twice, and the ruling made once
    assert "she had asked for it" in reviewer.get("/reviews/export").text
    seen = admin.get("/audit").text
    assert "vera" in seen
    assert "rob" in seen


def test_a_second_ruling_is_told_of_the_first(demo_db: Path, open_on: Callable[..., Console]) -> None:
    """Two people have the same page open; the later one reads why nothing was changed."""
    task_id = task_of(demo_db)
    console = open_on(demo_db, authentication=proxy())
    first, second = as_(console, "rob", "raters"), as_(console, "eve", "raters")
    pages = [each.get(f"/reviews/{task_id}").text for each in (first, second)]
    path = f"/reviews/{task_id}/rule"
    assert (
        first.post(path, data=form_of(pages[0], kind="confirm", reason="yes"), follow_redirects=False).status_code
        == 303
    )
    late = second.post(path, data=form_of(pages[1], kind="cannot_say", reason="no"))
    assert late.status_code == 409
    assert "ruled" in late.text
    unknown = second.get("/reviews/nobody.12345678")
    assert unknown.status_code == 404


@pytest.mark.parametrize("token", ["", "x", "0" * 64])
def test_forms_name_the_number_of_their_session(token: str, demo_db: Path, open_on: Callable[..., Console]) -> None:
    """A form without it, or with that of another person, changes nothing (CSRF)."""
    task_id = task_of(demo_db)
    console = open_on(demo_db, authentication=proxy())
    reviewer, other = as_(console, "rob", "raters"), as_(console, "eve", "raters")
    fields = form_of(reviewer.get(f"/reviews/{task_id}").text, kind="confirm", reason="x")
    assert reviewer.post(f"/reviews/{task_id}/rule", data={**fields, "form_token": token}).status_code == 403
    assert other.post(f"/reviews/{task_id}/rule", data=fields).status_code == 403
    assert reviewer.post(f"/reviews/{task_id}/rule", data={}).status_code == 403


def test_forms_stay_good_while_other_cookies_come_and_go(console: Console, demo_db: Path) -> None:
    """Programs at other ports of this machine, and proxies, set cookies that the browser sends along."""
    task_id = task_of(demo_db)
    fields = form_of(console.get(f"/reviews/{task_id}"), kind="confirm", reason="x")
    console.client.cookies.set("of-another-program", "1")
    ruled = console.client.post(f"/reviews/{task_id}/rule", data=fields, follow_redirects=False)
    assert ruled.status_code == 303, ruled.text


def test_a_body_without_a_length_is_read_to_a_limit(console: Console) -> None:
    """A form that does not say how large it is fills no memory."""
    pieces = (b"a" * 65_536 for _ in range(64))
    response = console.client.post(
        "/reviews/ask", content=pieces, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 413


def test_only_the_proxy_says_who_somebody_is(console: Console, demo_db: Path, open_on: Callable[..., Console]) -> None:
    """Headers from any other address, of two people, of nobody, or without a group that has a role are nobody's."""
    opened = open_on(demo_db, authentication=proxy("10.0.0.5"))
    assert as_(opened, "vera", "readers", "10.0.0.5").get("/").status_code == 200
    assert as_(opened, "vera", "readers", "::ffff:10.0.0.5").get("/").status_code == 200
    assert as_(opened, "vera", "readers", "10.0.0.6").get("/").status_code == 401
    assert as_(opened, "vera", "readers", "testclient").get("/").status_code == 401
    assert as_(opened, "vera", "others", "10.0.0.5").get("/").status_code == 401
    assert as_(opened, "", "owners", "10.0.0.5").get("/").status_code == 401
    assert as_(opened, "a\tb", "owners", "10.0.0.5").get("/").status_code == 401
    twice = [("host", HOST), ("x-forwarded-user", "a"), ("x-forwarded-user", "b"), ("x-forwarded-groups", "owners")]
    assert TestClient(opened.client.app, client=("10.0.0.5", 1)).get("/", headers=twice).status_code == 401
    groups = [("host", HOST), ("x-forwarded-user", "a"), ("x-forwarded-groups", "x"), ("x-forwarded-groups", "owners")]
    assert TestClient(opened.client.app, client=("10.0.0.5", 1)).get("/", headers=groups).status_code == 401
    assert as_(console, "root", "owners").get("/").status_code == 401


def test_networks_of_a_proxy() -> None:
    """One address or a small network; never every machine there is."""
    assert parse_network("10.0.0.5") == ipaddress.ip_network("10.0.0.5/32")
    for text in ("0.0.0.0/0", "::/0", "proxy.example", ""):
        with pytest.raises(ValueError, match=r"would trust every machine|does not appear"):
            parse_network(text)


class Provider:
    """Provider of OpenID Connect in the test's process, with whatever it says of a person."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, private=True)
        self.claims: dict[str, Any] = {"sub": "u-1", "email": "rob@example.com", "groups": ["raters"]}
        self.challenges: dict[str, tuple[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def authorize(self, location: str) -> tuple[str, str]:
        """Log somebody in who was led here; return the code and the state that lead them back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["redirect_uri"] == f"{ORIGIN}/login/callback"
        assert asked["code_challenge_method"] == "S256"
        code = generate_token()
        self.challenges[code] = asked["code_challenge"], asked["nonce"]
        return code, asked["state"]

    async def _describe(self, _request: Request) -> Response:
        ends = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token")}
        return JSONResponse({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **ends})

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        challenge, nonce = self.challenges.pop(str(form["code"]))
        assert create_s256_code_challenge(str(form["code_verifier"])) == challenge
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "console", "iat": now, "exp": now + 60, "nonce": nonce, **self.claims}
        id_token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": id_token})


@pytest.fixture
def provider() -> Provider:
    """A provider."""
    return Provider()


@pytest.fixture
def logged_out(provider: Provider, demo_db: Path, open_on: Callable[..., Console]) -> Console:
    """A console that has people log in with it."""
    settings = OpenIdSettings(ISSUER, "console", "secret", ORIGIN, "groups", ROLES)
    transport = httpx2.ASGITransport(app=provider.app)
    return open_on(demo_db, authentication=OpenId(settings, Sessions(is_secure=False), transport=transport))


def test_login_leads_back_to_the_page(provider: Provider, logged_out: Console) -> None:
    """Whoever asks for a page logs in first, and is there afterwards, with the role of their group."""
    assert (
        logged_out.ask("/traces?verdict=violated").headers["location"] == "/login?next=%2Ftraces%3Fverdict%3Dviolated"
    )
    led = logged_out.ask("/login?next=%2Ftraces")
    code, state = provider.authorize(led.headers["location"])
    back = logged_out.ask(f"/login/callback?code={code}&state={state}")
    assert (back.status_code, back.headers["location"]) == (303, "/traces")
    assert "rob@example.com · reviewer" in logged_out.text("/traces")
    assert logged_out.ask("/audit").status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"exp": 1},
        {"nonce": "another"},
        {"email": "a\nb", "sub": "x"},
    ],
)
def test_answers_that_are_not_the_providers_are_refused(
    claims: dict[str, Any], provider: Provider, logged_out: Console
) -> None:
    """Of another issuer, for another client, too old, or of another login."""
    provider.claims |= claims
    code, state = provider.authorize(logged_out.ask("/login").headers["location"])
    assert logged_out.ask(f"/login/callback?code={code}&state={state}").status_code == 403
    assert logged_out.ask("/").status_code == 303


def test_an_address_that_nobody_verified_names_nobody(provider: Provider, logged_out: Console) -> None:
    """Who writes somebody else's address into their profile does not rule in their name."""
    provider.claims |= {"email": "ann@example.com", "email_verified": False, "preferred_username": "rob"}
    code, state = provider.authorize(logged_out.ask("/login").headers["location"])
    logged_out.ask(f"/login/callback?code={code}&state={state}")
    page = logged_out.text("/")
    assert "ann@example.com" not in page
    assert "rob · reviewer" in page


def test_a_login_is_of_the_browser_that_began_it(provider: Provider, logged_out: Console) -> None:
    """A link with somebody else's code does not log its victim in; nor does a code with another state, or none."""
    code, state = provider.authorize(logged_out.ask("/login").headers["location"])
    victim = logged_out.stranger()
    assert victim.get(f"/login/callback?code={code}&state={state}", follow_redirects=False).status_code == 403
    assert logged_out.ask(f"/login/callback?code={code}&state=another").status_code == 403
    assert logged_out.ask("/login/callback").status_code == 403
    assert logged_out.ask("/login/callback?error=access_denied").status_code == 403


def test_people_without_a_role_are_told(provider: Provider, logged_out: Console) -> None:
    """Somebody whom the provider knows and no group of whose has a role sees nothing."""
    provider.claims["groups"] = "guests"
    code, state = provider.authorize(logged_out.ask("/login").headers["location"])
    refused = logged_out.ask(f"/login/callback?code={code}&state={state}")
    assert refused.status_code == 403
    assert "none of your groups" in refused.text


def test_login_leads_to_no_other_site(provider: Provider, logged_out: Console) -> None:
    """A link to the login with another site as the page to return to leads to the start page."""
    code, state = provider.authorize(logged_out.ask("/login?next=//evil.example").headers["location"])
    assert logged_out.ask(f"/login/callback?code={code}&state={state}").headers["location"] == "/"


OIDC = AccessOptions(oidc_issuer=ISSUER, oidc_client_id="console", default_role=Role.VIEWER)
PROXY = AccessOptions(proxies=[parse_network("10.0.0.5")], default_role=Role.VIEWER)


@pytest.mark.parametrize(
    ("host", "access", "words"),
    [
        ("0.0.0.0", AccessOptions(), "nothing says who may look"),
        ("127.0.0.1", AccessOptions(public_url="https://console.example"), "nothing says who may look"),
        ("0.0.0.0", OIDC, "in the clear"),
        ("0.0.0.0", PROXY, "in the clear"),
        ("127.0.0.1", AccessOptions(oidc_issuer=ISSUER), "needs --oidc-client-id"),
        ("127.0.0.1", AccessOptions(proxies=PROXY.proxies), "nobody has a role"),
        ("127.0.0.1", AccessOptions(oidc_issuer=ISSUER, proxies=PROXY.proxies), "two authentications"),
        ("127.0.0.1", AccessOptions(public_url="console.example"), "invalid public URL"),
        ("127.0.0.1", AccessOptions(public_url="https://console.example/path"), "invalid public URL"),
    ],
)
def test_what_does_not_go_together_is_refused(host: str, access: AccessOptions, words: str) -> None:
    """It would be open to other machines, or in the clear, or nobody could come in; each with its remedy."""
    with pytest.raises(ConfigurationError, match=words):
        check_access(host, access)


def test_options_of_the_command_line() -> None:
    """Unknown roles and addresses that are none are told before anything listens."""
    for options, words in (
        (["--role", "king=raters"], "unknown role"),
        (["--role", "reviewer"], "is not ROLE=GROUP"),
        (["--trusted-proxy", "0.0.0.0/0"], "would trust every machine"),
    ):
        result = CliRunner().invoke(cli, ["console", *options])
        assert result.exit_code == 2
        assert words in result.output
