"""Middleware of web applications, without a dependency on any framework."""

from specspan.web.asgi import AsgiMiddleware
from specspan.web.wsgi import WsgiMiddleware

__all__ = ["AsgiMiddleware", "WsgiMiddleware"]
