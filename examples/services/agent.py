"""The agent: takes questions from the queue, and answers them with a model and with tools that another service runs.

It has never heard of a scope: the one that the gateway declared came with the question, and goes on to the tools.
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
from telemetry import begin, told_to_stop

import specspan

INSTRUCTIONS = "You are the desk for orders and refunds of a shop. Use your tools, and be brief."
MOST_TURNS = 6


def described(name: str, description: str, **properties: str) -> ChatCompletionToolUnionParam:
    """A tool, as a model is told about it."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {argument: {"type": kind} for argument, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    described("find_order", "What is known about an order", order="string"),
    described("find_payment", "How an order was paid", order="string"),
    described("issue_refund", "Pay money back for an order", order="string", amount="number"),
]


@specspan.observe
def use(tool: str, arguments: dict[str, Any]) -> str:
    """Have the tool service run a tool. What goes with the request is OpenTelemetry's to say, scope included."""
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
    """What the customer hears."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "developer", "content": INSTRUCTIONS},
        {"role": "user", "content": question},
    ]
    for _ in range(MOST_TURNS):
        completion = client.chat.completions.create(
            model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"), messages=messages, tools=TOOLS
        )
        said = completion.choices[0].message
        if not said.tool_calls:
            return said.content or ""
        messages.append(said.model_dump(exclude_none=True))  # type: ignore[arg-type]  # the client's own form
        for wish in said.tool_calls:
            if wish.type == "function":
                result = use(wish.function.name, json.loads(wish.function.arguments))
                messages.append({"role": "tool", "tool_call_id": wish.id, "content": result})
    return "A colleague will answer you today."


def answered(question: str, client: openai.OpenAI) -> str:
    """The same, or what is said in place of an answer that the policy stopped."""
    try:
        return answer(question, client)
    except specspan.Blocked as stopped:
        return f"I may not say that ({stopped.decision.governing_clause}). A colleague will answer you today."


if __name__ == "__main__":
    stop = told_to_stop()
    begin("agent")
    specspan.instrument("openai")
    queue = MessageQueue(os.environ["SHOP_QUEUE"])
    with openai.OpenAI() as client:
        while not stop.is_set():
            with queue.receive("questions", stop) as message:
                if message is not None:
                    queue.send("answers", {"text": answered(message.body["question"], client)})
    queue.close()
