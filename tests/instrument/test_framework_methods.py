"""Tools that frameworks run: decided before they run, one span a run, what the application sees unchanged."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import BaseTool, tool
from mcp import Client
from mcp.client.session import ClientSession
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools.tool_manager import ToolManager
from tool_scopes import SEARCH, rules

import specspan
from specspan.errors import MissingDependency
from specspan.instrument import install
from specspan.testing import recorded

RAN: list[Any] = []
METHODS = ((BaseTool, "run"), (BaseTool, "arun"), (ClientSession, "call_tool"), (ToolManager, "call_tool"))


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    RAN.clear()
    specspan.instrument("langchain", "mcp")
    yield
    specspan.uninstrument()


@tool
def search(query: str, limit: int) -> str:
    """Searches."""
    RAN.append((query, limit))
    return f"{limit} of {query}"


def server() -> MCPServer:
    made = MCPServer("shop")

    @made.tool(name="search")
    def served(query: str, limit: int) -> str:
        """Searches."""
        RAN.append((query, limit))
        return f"{limit} of {query}"

    return made


def asked(limit: int) -> dict[str, Any]:
    return {"type": "tool_call", "id": "c-1", "name": "search", "args": {"query": "shoes", "limit": limit}}


async def invoked(limit: int, *, is_async: bool) -> Any:
    return await search.ainvoke(asked(limit)) if is_async else search.invoke(asked(limit))


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_tool_of_langchain_is_decided_before_it_runs(is_async: bool) -> None:
    """Within its scope it answers as ever, out of it `Blocked` comes in its place; each run is one span."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        answer = await invoked(3, is_async=is_async)
        with pytest.raises(specspan.Blocked) as blocked:
            await invoked(30, is_async=is_async)
    assert (answer.content, answer.tool_call_id, RAN) == ("3 of shoes", "c-1", [("shoes", 3)])
    assert blocked.value.decision.reason == "argument_over_limit"
    assert [span.name for span in record.spans] == ["execute_tool search"] * 2
    assert (record.spans[0].attributes or {})["gen_ai.tool.call.id"] == "c-1"


def test_a_single_text_is_named_as_its_parameter() -> None:
    """A tool that is given a text is decided by the name of its first parameter."""

    @tool
    def weather(city: str) -> str:
        """Tells the weather."""
        return f"rain in {city}"

    scope = specspan.ScopeOfAutonomy(limits={"weather": {"city": specspan.ArgumentLimit(one_of=("Oslo",))}})
    with recorded(rules()), specspan.context(scope=scope):
        assert weather.run("Oslo") == "rain in Oslo"
        with pytest.raises(specspan.Blocked):
            weather.run("Rome")


async def test_a_client_of_mcp_asks_for_nothing_that_is_not_let_through() -> None:
    """Out of scope the server is never asked; within it the answer is the server's."""
    with recorded(rules()):
        async with Client(server()) as client:
            with specspan.context(scope=SEARCH):
                answer = await client.call_tool("search", {"query": "shoes", "limit": 3})
                with pytest.raises(specspan.Blocked):
                    await client.call_tool("search", {"query": "shoes", "limit": 30})
    assert (answer.is_error, RAN) == (False, [("shoes", 3)])


async def test_a_server_of_mcp_refuses_what_is_not_let_through(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that is not instrumented asks: out of scope the tool does not run, and the answer is an error."""
    caplog.set_level(logging.CRITICAL, "mcp.server.mcpserver.server")  # it logs what its tools raise
    monkeypatch.setattr(ClientSession, "call_tool", vars(ClientSession)["call_tool"].__wrapped__)
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        async with Client(server()) as client:
            answers = [await client.call_tool("search", {"query": "shoes", "limit": limit}) for limit in (4, 40)]
    assert [answer.is_error for answer in answers] == [False, True]
    assert RAN == [("shoes", 4)]
    verdicts = [(span.attributes or {})["specspan.decision.verdict"] for span in record.spans]
    assert verdicts == ["complied", "violated"]


def test_one_run_is_one_span() -> None:
    """A tool of a framework's that is a tool of ours is decided once; with other arguments it is another run."""

    @tool
    def wrapped(limit: int) -> str:
        """Runs."""
        with specspan.tool_call("wrapped", {"limit": limit}):
            pass
        with specspan.tool_call("wrapped", {"limit": limit + 1}):
            return "done"

    with recorded(rules()) as record:
        assert wrapped.invoke({"limit": 1}) == "done"
    assert [span.name for span in record.spans] == ["execute_tool wrapped"] * 2


def test_methods_are_put_back() -> None:
    """`uninstrument` leaves the very functions of the frameworks, and before it they are wrapped."""
    wrapped = [vars(owner)[name] for owner, name in METHODS]
    specspan.uninstrument()
    assert [vars(owner)[name] for owner, name in METHODS] == [each.__wrapped__ for each in wrapped]


def test_a_missing_framework_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name, it is refused with the line for pip."""
    specspan.uninstrument()
    found = importlib.util.find_spec
    monkeypatch.setattr(install, "find_spec", lambda name: None if name == "mcp" else found(name))
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[mcp\]'"):
        specspan.instrument("mcp")
    specspan.instrument()
