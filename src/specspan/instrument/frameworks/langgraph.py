"""LangGraph: compiled graphs, among them LangChain's agents. ``invoke`` reads what ``stream`` gives.

The tools that a graph runs are LangChain's (`specspan.instrument.frameworks.langchain`).
"""

from __future__ import annotations

from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, workflow
from specspan.instrument.framework_methods import Activity

_AGENT = "langchain_create_agent"
"""Mark of a graph that `langchain.agents.create_agent` made."""


def _graph(call: Invocation) -> agent | workflow:
    graph: Any = call.instance
    name = str(graph.get_name())
    return agent(name) if _is_agent(graph) else workflow(name)


def _is_agent(graph: Any) -> bool:
    metadata = (graph.config or {}).get("metadata") or {}
    return metadata.get("ls_integration") == _AGENT


ACTIVITIES = (
    Activity(
        block=_graph,
        methods=("langgraph.pregel.main:Pregel.stream", "langgraph.pregel.main:Pregel.astream"),
        package="langgraph.pregel",
        install="specspan[langgraph]",
    ),
)
