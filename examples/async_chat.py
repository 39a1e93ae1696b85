"""Streamed conversations side by side: each has a context, a trace and decisions of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai

import specspan

specspan.configure(policy=Path(__file__).with_name("policy.yaml"), service_name="travel-desk")
specspan.instrument("openai")


@specspan.observe
async def stream(client: openai.AsyncOpenAI, question: str) -> AsyncIterator[str]:
    """Yield the answer in pieces. The span ends when the reader stops, for whatever reason."""
    chunks = await client.chat.completions.create(
        model="gpt-5-mini", messages=[{"role": "user", "content": question}], stream=True
    )
    async for chunk in chunks:
        for choice in chunk.choices:
            yield choice.delta.content or ""


async def converse(client: openai.AsyncOpenAI, name: str, question: str) -> str:
    """Hold one conversation and print it."""
    with specspan.context(conversation=name):
        return f"{name}: " + "".join([piece async for piece in stream(client, question)])


async def main() -> None:
    """Hold all conversations side by side."""
    questions = {"ann": "When does the early train leave?", "ben": "Is there a sleeper?"}
    async with openai.AsyncOpenAI() as client:
        for line in await asyncio.gather(*(converse(client, *each) for each in questions.items())):
            print(line)


asyncio.run(main())
