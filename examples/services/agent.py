"""Agent that takes questions from a queue and answers them with a model and with tools that another service runs.

Its code does not mention a scope: the one that the gateway declares comes with the question, and goes on to the tools.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import openai
from message_queue import MessageQueue
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from opentelemetry import propagate
from telemetry import begin, stop_event

import specspan

INSTRUCTIONS = "You are the desk for orders and refunds of a shop. Use your tools, and be brief."
MAX_TURNS = 6


def tool_definition(name: str, description: str, **properties: str) -> ChatCompletionToolUnionParam:
    """Return the definition of a tool for a model."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {argument: {"type": kind} for argument, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    tool_definition("find_order", "What is known about an order", order="string"),
    tool_definition("find_payment", "How an order was paid", order="string"),
    tool_definition("issue_refund", "Pay money back for an order", order="string", amount="number"),
]


@specspan.observe
def use(tool: str, arguments: dict[str, Any]) -> str:
    """Have the tool service run a tool. OpenTelemetry's propagators write the trace and the scope into the request."""
    headers = {"Content-Type": "application/json"}
    propagate.inject(headers)
    call = Request(f"{os.environ['SHOP_TOOLS']}/{tool}", json.dumps(arguments).encode(), headers)
    try:
        with urlopen(call, timeout=30) as answer:
            return str(json.load(answer)["text"])
    except HTTPError as refused:
        return f"not allowed: {json.load(refused)['text']}"


@specspan.agent("refund desk")
def answer(question: str, client: openai.OpenAI) -> str:
    """Return the answer to a customer."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "developer", "content": INSTRUCTIONS},
        {"role": "user", "content": question},
    ]
    for _ in range(MAX_TURNS):
        completion = client.chat.completions.create(
            model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"), messages=messages, tools=TOOLS
        )
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))  # type: ignore[arg-type]  # the client's own form
        for tool_call in message.tool_calls:
            if tool_call.type == "function":
                result = use(tool_call.function.name, json.loads(tool_call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": tool_call.id, "content": result})
    return "A colleague will answer you today."


def answer_or_apology(question: str, client: openai.OpenAI) -> str:
    """Return the answer to a customer, or an apology in place of one that the policy stopped."""
    try:
        return answer(question, client)
    except specspan.Blocked as stopped:
        return f"I may not say that ({stopped.decision.governing_clause}). A colleague will answer you today."


if __name__ == "__main__":
    stop = stop_event()
    begin("agent")
    specspan.instrument("openai")
    queue = MessageQueue(os.environ["SHOP_QUEUE"])
    with openai.OpenAI() as client:
        while not stop.is_set():
            with queue.receive("questions", stop) as message:
                if message is not None:
                    queue.send("answers", {"text": answer_or_apology(message.body["question"], client)})
    queue.close()
