"""Tools within limits: a call beyond them is stopped before any tool runs, and a person decides."""

from __future__ import annotations

import json
from pathlib import Path

import openai

import specspan

specspan.configure(policy=Path(__file__).with_name("policy.yaml"), service_name="travel-desk")
specspan.instrument("openai")
client = openai.OpenAI()


@specspan.observe
def book(train: str, price: float) -> str:
    """Book a train; the span of this tool stands below that of the function that used it."""
    return f"{train} is booked for {price}."


@specspan.observe
def travel(request: str) -> str:
    """Let the model choose a train and book it."""
    completion = client.chat.completions.create(
        model="gpt-5-mini",
        messages=[{"role": "user", "content": request}],
        tools=[{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}],
    )
    message = completion.choices[0].message
    booked = [
        book(**json.loads(wish.function.arguments)) for wish in message.tool_calls or () if wish.type == "function"
    ]
    return " ".join(booked) or message.content or ""


for request in ("Book me the early train.", "Book me the sleeper, first class."):
    try:
        print(travel(request))
    except specspan.Blocked as stopped:
        print(f"A colleague will decide about this: {stopped.decision.reason}.")
