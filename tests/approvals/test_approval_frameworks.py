"""Approvals by what agents offer for them, with the real packages."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest

import specspan
from specspan.approvals.approval_request import ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.stores.people import Person, Role

APA = Person("apa", Role.APPROVER)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[str]:
    """Return a store in which a person approves what is below a hundred, and denies the rest."""
    address, is_over = str(tmp_path / "desk.db"), threading.Event()

    def settle() -> None:
        store, deadline_s = ApprovalStore(address), time.monotonic() + 60
        while not is_over.wait(0.02) and time.monotonic() < deadline_s:
            for each in store.list(ApprovalState.WAITING).approvals:
                act: Callable[..., Any] = store.approve if each.detail["arguments"]["amount"] < 100 else store.deny
                act(each.id, APA)

    person = threading.Thread(target=settle)
    person.start()
    yield address
    is_over.set()
    person.join()


def test_deferred_tools_of_pydantic_ai(db: str) -> None:
    """The run goes on with the approved calls, and the model is told of the denied ones."""
    from pydantic_ai import Agent, DeferredToolRequests
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    from specspan.approvals.frameworks.pydantic_ai import resolve_deferred_tools

    def reply(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("refund", {"amount": n}, tool_call_id=f"c{n}") for n in (20, 500)])
        return ModelResponse([TextPart(str(messages[-1]))])

    agent = Agent(FunctionModel(reply), output_type=[str, DeferredToolRequests])
    ran: list[int] = []

    @agent.tool_plain(requires_approval=True)
    def refund(amount: int) -> str:
        ran.append(amount)
        return "refunded"

    async def main() -> str:
        first = await agent.run("refund both")
        assert isinstance(first.output, DeferredToolRequests)
        results = await resolve_deferred_tools(first.output, specspan.approval(db=db, timeout_s=50))
        last = await agent.run(message_history=first.all_messages(), deferred_tool_results=results)
        assert isinstance(last.output, str)
        return last.output

    assert "Nobody approved this tool call" in asyncio.run(main())
    assert ran == [20]


def test_interrupts_of_langgraph(db: str) -> None:
    """Each interrupt returns what people said, from the checkpoint on."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    from specspan.approvals.frameworks.langgraph import resolve_interrupts

    class State(TypedDict):
        amount: int
        ran: bool

    def refund(state: State) -> dict[str, bool]:
        return {"ran": bool(interrupt({"name": "refund", "amount": state["amount"]}))}

    builder = StateGraph(State)
    builder.add_node("refund", refund)
    builder.add_edge(START, "refund")
    builder.add_edge("refund", END)
    graph = builder.compile(checkpointer=InMemorySaver())

    async def main(amount: int) -> bool:
        config: Any = {"configurable": {"thread_id": str(amount)}}
        stopped = await graph.ainvoke({"amount": amount, "ran": False}, config)
        command = await resolve_interrupts(stopped["__interrupt__"], specspan.approval(db=db, timeout_s=50))
        ended = await graph.ainvoke(command, config)
        return bool(ended["ran"])

    assert asyncio.run(main(20))
    assert not asyncio.run(main(500))
    assert {each.name for each in ApprovalStore(db).list().approvals} == {"refund"}


def test_tool_approval_of_openai_agents(db: str) -> None:
    """The run goes on with approved calls run, and rejected ones told to the model."""
    import agents
    from agents.items import ModelResponse
    from agents.usage import Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    from specspan.approvals.frameworks.openai_agents import resolve_interruptions

    class Scripted(agents.Model):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        async def get_response(self, *_: Any, **given: Any) -> ModelResponse:
            self.seen.append(given["input"])
            if len(self.seen) == 1:
                output: list[Any] = [
                    ResponseFunctionToolCall(
                        type="function_call", call_id=f"c{n}", name="refund", arguments=f'{{"amount": {n}}}'
                    )
                    for n in (20, 500)
                ]
            else:
                text = ResponseOutputText(type="output_text", text="done", annotations=[])
                output = [
                    ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
                ]
            return ModelResponse(output=output, usage=Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    ran: list[int] = []

    @agents.function_tool(needs_approval=True)
    def refund(amount: int) -> str:
        """Refund an amount."""
        ran.append(amount)
        return "refunded"

    model = Scripted()
    agent = agents.Agent(name="desk", model=model, tools=[refund])
    config = agents.RunConfig(tracing_disabled=True)

    async def main() -> Any:
        first = await agents.Runner.run(agent, "refund both", run_config=config)
        assert len(first.interruptions) == 2
        state = await resolve_interruptions(first, specspan.approval(db=db, timeout_s=50))
        return (await agents.Runner.run(agent, state, run_config=config)).final_output

    assert asyncio.run(main()) == "done"
    assert ran == [20]
    assert "Nobody approved this tool call" in str(model.seen[-1])
