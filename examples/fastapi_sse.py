"""FastAPI application that streams answers as server-sent events; a policy stops a stream in its midst.

`uvicorn fastapi_sse:app` serves it; as a program it asks itself one question. Without a key a script answers.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

import specspan
from specspan.testing import ScriptedModel
from specspan.web import AsgiMiddleware

SCRIPT = {"sleeper": "There is one, every night at ten. Book it only today !"}


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncIterator[None]:
    """Make the client when the server starts: of the service, or of the script."""
    if "OPENAI_API_KEY" in os.environ:
        api.state.client = openai.AsyncOpenAI()
        yield
    else:
        with ScriptedModel(SCRIPT) as model:
            api.state.client = openai.AsyncOpenAI(base_url=model.base_url, api_key=model.api_key)
            yield
    await api.state.client.close()


@specspan.observe
async def stream_answer(client: openai.AsyncOpenAI, question: str) -> AsyncIterator[str]:
    """Yield an answer piece by piece, as events."""
    try:
        chunks = await client.chat.completions.create(
            model="gpt-5-mini", messages=[{"role": "user", "content": question}], stream=True
        )
        async for chunk in chunks:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield f"data: {json.dumps(choice.delta.content)}\n\n"
    except specspan.Blocked as stopped:  # what was sent stays sent: say that the rest does not come
        yield f"event: stopped\ndata: {json.dumps(stopped.decision.governing_clause)}\n\n"


api = FastAPI(lifespan=lifespan)


@api.get("/answers")
async def answers(question: str) -> StreamingResponse:
    """Answer the question in the query."""
    return StreamingResponse(stream_answer(api.state.client, question), media_type="text/event-stream")


policy = Path(__file__).with_name("strict_policy.yaml")
app = AsgiMiddleware(
    api, policy=policy, service_name="travel-desk"
)  # a Starlette application is wrapped in the same way

if __name__ == "__main__":
    from starlette.testclient import TestClient

    with TestClient(app) as browser:
        print(browser.get("/answers", params={"question": "Is there a sleeper?"}).text.strip())
