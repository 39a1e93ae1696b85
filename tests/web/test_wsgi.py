"""The WSGI middleware: a request's context holds while its answer is made, and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import specspan
from specspan.instrument.context import current_context
from specspan.web import WsgiMiddleware


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    specspan.uninstrument()
    specspan.shutdown()


class Streamed:
    """Answer in parts, each of which says in whose context it is made."""

    def __init__(self) -> None:
        self.closed_for: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(2):
            yield str(current_context().user).encode()

    def close(self) -> None:
        self.closed_for = current_context().user


def middleware(app: Any) -> WsgiMiddleware:
    context_of = lambda environ: {"user": environ["USER"]}  # noqa: E731
    return WsgiMiddleware(app, context_of=context_of, clients=("openai",), db="own.db")


def test_a_plain_answer_is_passed_on() -> None:
    """The application runs in the context of the request; a list is handed on as it is."""
    app = middleware(lambda environ, start_response: [str(current_context().user).encode()])
    assert app({"USER": "ada"}, print) == [b"ada"]
    assert current_context().user is None


def test_a_streamed_answer_is_made_in_the_context_of_its_request() -> None:
    """Parts are made after the application returned, with those of other requests in between."""
    answer = Streamed()
    app = middleware(lambda environ, start_response: answer)
    first, second = (iter(app({"USER": user}, print)) for user in ("ada", "grace"))
    assert [next(first), next(second), next(first), next(second)] == [b"ada", b"grace", b"ada", b"grace"]
    closing = app({"USER": "ada"}, print)
    closing.close()  # type: ignore[attr-defined]
    assert answer.closed_for == "ada"
    assert current_context().user is None


def test_what_is_wrong_is_refused_with_the_application() -> None:
    """The server does not start."""
    with pytest.raises(specspan.ConfigurationError, match="absent"):
        WsgiMiddleware(lambda environ, start_response: [], db="absent/own.db")
