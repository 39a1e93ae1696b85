"""The HTTP library that a client is made on: ``httpx2`` of newer ones, ``httpx`` of older ones, in one shape.

``from http_libraries import openai_http`` gives the one of the client that is installed.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["anthropic_http", "openai_http"]

if TYPE_CHECKING:
    import httpx2 as anthropic_http
    import httpx2 as openai_http
else:

    def __getattr__(name: str) -> ModuleType:
        client, _, rest = name.partition("_")
        if rest != "http":
            raise AttributeError(name)
        base = vars(import_module(f"{client}._base_client"))
        return base.get("httpx2") or base["httpx"]
