"""Visit of one person to one page: what pages are made of, and the parts of a console that all visits share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from specspan.approvals.approval_store import ApprovalStore
from specspan.console.access.form_tokens import FormTokens
from specspan.console.access.sessions import session_number
from specspan.console.audit_log import AuditLog
from specspan.console.cached_answers import CachedAnswers
from specspan.console.console_settings import ConsoleSettings
from specspan.console.known_specs import KnownSpecs
from specspan.console.reader_pool import ReaderPool
from specspan.console.slow_answers import SlowAnswers
from specspan.console.templates_in_use import render
from specspan.errors import EmptyStore, OversightRefused, StoreError
from specspan.review.review_queue import ReviewQueue
from specspan.stores.people import Person, Role
from specspan.stores.protocols import StoreReader


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """Link in the frame around every page."""

    place: int
    """Order among the links."""
    path: str
    word: str
    role: Role = Role.VIEWER
    """Role that the page asks for."""


@dataclass(frozen=True, slots=True)
class Console:
    """Parts that all visits share."""

    settings: ConsoleSettings
    readers: ReaderPool
    answers: CachedAnswers
    slow_answers: SlowAnswers
    specs: KnownSpecs
    audit: AuditLog
    form_tokens: FormTokens
    reviews: ReviewQueue
    approvals: ApprovalStore
    navigation: tuple[NavigationEntry, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """Visit of one person to one page."""

    request: Request
    console: Console
    person: Person
    reader: StoreReader

    def parameter(self, name: str) -> str:
        """Return a parameter of the address, without blanks around it; empty where it is missing."""
        return str(self.request.query_params.get(name, "")).strip()

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a page as HTML."""
        return HTMLResponse(render(template, {**_frame(self.request, self.console, self.person), **context}), status)

    def record_view(self, kind: str, ids: Mapping[str, Any]) -> None:
        """Record that this person is about to see content.

        Raises:
            StoreError: it cannot be recorded, and so must not be shown.
        """
        self.console.audit.record_view(self.person, kind, ids)


def page_route(
    path: str, make: Callable[[Visit], Response], role: Role = Role.VIEWER, name: str | None = None
) -> Route:
    """Return the route of a page that somebody with a role may see."""

    async def endpoint(request: Request) -> Response:
        console: Console = request.app.state.console
        person = require(request, role)
        try:
            return await console.readers.run(lambda reader: make(Visit(request, console, person, reader)))
        except StoreError as error:
            return store_problem(request, error)
        except OversightRefused as refusal:
            return http_problem(request, _refused(refusal))

    return Route(path, endpoint, methods=["GET"], name=name or make.__name__)


def form_route(
    path: str, handle: Callable[[Visit, Mapping[str, str]], Response], role: Role, name: str | None = None
) -> Route:
    """Return the route of a form that somebody with a role may send. The form names its session's number."""

    async def endpoint(request: Request) -> Response:
        console: Console = request.app.state.console
        person = require(request, role)
        fields = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
        if not console.form_tokens.is_token(fields.get("form_token"), person, session_number(request)):
            raise HTTPException(403, "This form is of another session. Load the page again.")
        try:
            return await console.readers.run(lambda reader: handle(Visit(request, console, person, reader), fields))
        except StoreError as error:
            return store_problem(request, error)
        except OversightRefused as refusal:
            return http_problem(request, _refused(refusal))

    return Route(path, endpoint, methods=["POST"], name=name or handle.__name__)


def require(request: Request, role: Role) -> Person:
    """Return who is asking.

    Raises:
        HTTPException: their role does not allow it.
    """
    person: Person = request.state.person
    if person.role.rank < role.rank:
        raise HTTPException(403, f"This needs the role {role.value}; you have {person.role.value}.")
    return person


def store_problem(request: Request, error: StoreError) -> Response:
    """Return the page that says why nothing can be shown, and what to do."""
    console: Console = request.app.state.console
    context = {**_frame(request, console, request.state.person), "problem": str(error)}
    return HTMLResponse(render("store_problem.html", {**context, "is_empty": isinstance(error, EmptyStore)}), 503)


def _refused(refusal: OversightRefused) -> HTTPException:
    """Return a refusal of the reviews as one of HTTP."""
    status = 403 if refusal.code == "role" else 404 if refusal.code.startswith("unknown") else 409
    return HTTPException(status, f"{refusal.problem[:1].upper()}{refusal.problem[1:]}. {refusal.remedy}")


def http_problem(request: Request, error: Exception) -> Response:
    """Return the page of a refusal, such as an unknown address."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "The console failed; its log says more."
    console: Console = request.app.state.console
    person = getattr(request.state, "person", None)
    if person is None:
        return Response(f"{detail}\n", status, media_type="text/plain")
    context = {**_frame(request, console, person), "problem": detail, "status": status}
    return HTMLResponse(render("http_problem.html", context), status)


def _frame(request: Request, console: Console, person: Person) -> dict[str, Any]:
    """Return what the frame around every page needs."""
    return {
        "path": request.url.path,
        "store": console.settings.db,
        "person": person,
        "navigation": console.navigation,
        "may_ask": person.role.rank >= Role.REVIEWER.rank,
        "form_token": console.form_tokens.token(person, session_number(request)),
    }
