"""Console in the test's process, and visits to it by HTTP without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from specspan.console.access.local_token import LocalToken
from specspan.console.access.sessions import Sessions
from specspan.console.application import build_application
from specspan.console.console_settings import ConsoleSettings

HOST = "127.0.0.1:8321"
ORIGIN = f"http://{HOST}"


@dataclass
class Console:
    """Console whose pages a test asks for."""

    client: TestClient
    """Browser that has come in."""
    addresses: list[str]
    """Paths with a token that it has shown, the last of which is still good."""

    def get(self, path: str, status: int = 200, **options: Any) -> str:
        """Return a page's HTML."""
        response = self.ask(path, **options)
        assert response.status_code == status, words_of(response.text)[:500]
        return str(response.text)

    def ask(self, path: str, **options: Any) -> Any:
        """Return the answer to a request, redirects not followed."""
        return self.client.get(path, follow_redirects=False, **options)

    def text(self, path: str, status: int = 200) -> str:
        """Return what a person reads on a page, in one line."""
        return words_of(self.get(path, status))

    def stranger(self) -> TestClient:
        """Return another browser, which nobody knows."""
        return TestClient(self.client.app, base_url=ORIGIN)


@contextmanager
def open_console(db: str, **settings: Any) -> Iterator[Console]:
    """Open a console on a store, and hand the token in."""
    addresses: list[str] = []
    authentication = settings.pop("authentication", None)
    token = LocalToken(Sessions(is_secure=False), addresses.append)
    known = ConsoleSettings(
        db=db, authentication=authentication or token, hosts=frozenset((HOST,)), threads=2, **settings
    )
    with TestClient(build_application(known), base_url=ORIGIN) as client:
        if authentication is None:
            token.show_next()
            client.get(addresses[-1], follow_redirects=False)
        yield Console(client, addresses)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def words_of(html: str) -> str:
    """Return the text of a page in one line."""
    parser = _Words()
    parser.feed(html)
    return " ".join(unescape(" ".join(parser.words)).split())
