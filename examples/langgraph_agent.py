"""Agent as a graph of LangGraph: its run and its tools have spans, and a tool beyond its limits never runs.

Without a key a script answers.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path

import openai
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import specspan
from specspan.call import ToolCall
from specspan.testing import Reply, ScriptedModel

specspan.configure(policy=Path(__file__).with_name("policy.yaml"), service_name="travel-desk")
specspan.instrument()

SCRIPT = {
    "first class": Reply(tool_calls=(ToolCall("book", {"train": "The sleeper", "price": 340}),)),
    "early": Reply(tool_calls=(ToolCall("book", {"train": "The early train", "price": 39}),)),
}


@tool
def book(train: str, price: float) -> str:
    """Book a seat in a train, and say so."""
    return f"{train} is booked for {price:.0f}."


def run(client: openai.OpenAI, request: str) -> str:
    """Run the graph for one request: the model chooses, the tool books."""

    def choose(state: MessagesState) -> dict[str, list[AIMessage]]:
        completion = client.chat.completions.create(
            model="gpt-5-mini",
            messages=[{"role": "user", "content": str(state["messages"][-1].content)}],
            tools=[{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}],
        )
        wishes = [wish for wish in completion.choices[0].message.tool_calls or () if wish.type == "function"]
        calls = [{"name": w.function.name, "args": json.loads(w.function.arguments), "id": w.id} for w in wishes]
        return {"messages": [AIMessage(content="", tool_calls=calls)]}

    graph = StateGraph(MessagesState)
    graph.add_node("choose", choose)
    graph.add_node("tools", ToolNode([book]))
    graph.add_edge(START, "choose")
    graph.add_edge("choose", "tools")
    graph.add_edge("tools", END)
    answer = graph.compile(name="travel agent").invoke({"messages": [HumanMessage(request)]})
    return str(answer["messages"][-1].content)


with ExitStack() as stack:
    if "OPENAI_API_KEY" in os.environ:
        client = openai.OpenAI()
    else:
        model = stack.enter_context(ScriptedModel(SCRIPT))
        client = openai.OpenAI(base_url=model.base_url, api_key=model.api_key)
    for request in ("Book me the early train.", "Book me the sleeper, first class."):
        try:
            print(run(client, request))
        except specspan.Blocked as stopped:
            print(f"A colleague will decide about this: {stopped.decision.reason}.")
