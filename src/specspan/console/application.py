"""Application of the console: its pages, the guard before them, and the files that they load."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from specspan._support import plugins
from specspan.approvals.approval_store import ApprovalStore
from specspan.console.access.form_tokens import FormTokens
from specspan.console.access.guarding import Guard
from specspan.console.audit_log import AuditLog
from specspan.console.cached_answers import CachedAnswers
from specspan.console.console_settings import ConsoleSettings
from specspan.console.known_specs import KnownSpecs
from specspan.console.live_updates import LiveUpdates
from specspan.console.reader_pool import ReaderPool
from specspan.console.slow_answers import SlowAnswers
from specspan.console.visit import Console, http_problem
from specspan.errors import ConfigurationError, Problem
from specspan.review.review_queue import ReviewQueue
from specspan.runtime.ruling_export import RulingExport
from specspan.stores.opening import open_store

_STATIC = "/static"
_A_WEEK = "public, max-age=604800, immutable"


def build_application(settings: ConsoleSettings) -> Starlette:
    """Return the application of one console."""
    pages = list(plugins.iter_modules("specspan.console.pages"))
    rulings = RulingExport(settings.db)
    readers = ReaderPool(lambda: open_store(settings.db), settings.threads)
    console = Console(
        settings,
        readers,
        CachedAnswers(),
        SlowAnswers(),
        KnownSpecs(settings.specs, settings.policy, settings.environment),
        AuditLog(settings.db),
        FormTokens(),
        ReviewQueue(settings.db, telemetry=rulings),
        ApprovalStore(settings.db),
        tuple(sorted((page.NAVIGATION for page in pages), key=lambda entry: entry.place)),
    )
    updates = LiveUpdates(readers)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await readers.run_without_reader(console.specs.load_policy)  # imports much: no visitor should wait for it
        try:
            yield
        finally:
            updates.close()
            readers.close()
            console.slow_answers.close()
            console.audit.close()
            console.reviews.close()
            console.approvals.close()
            rulings.close()

    own: list[BaseRoute] = [route for page in pages for route in page.ROUTES]
    open_routes = settings.authentication.routes
    app = Starlette(
        routes=[*open_routes, *own, updates.route, Mount(_STATIC, _StaticFiles(directory=_folder()))],
        middleware=[
            Middleware(
                Guard,
                authentication=settings.authentication,
                hosts=settings.hosts,
                open_paths=frozenset(str(getattr(route, "path", "")) for route in open_routes),
            ),
            *settings.authentication.middleware,
        ],
        exception_handlers={HTTPException: http_problem},
        lifespan=lifespan,
    )
    app.state.console = console
    return app


class _StaticFiles(StaticFiles):
    """Files that pages load. Those of other people's libraries bear their version in their name."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = _A_WEEK if path.startswith("vendor") else "no-cache"
        return response


def _folder() -> Path:
    folder = files("specspan.console") / "static"
    if not isinstance(folder, Path):
        raise ConfigurationError("specspan console", Problem("specspan is installed in an archive", "Unpack it."))
    return folder
