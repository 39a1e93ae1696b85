"""Celery application: what a task asks a model is decided, in the conversation that the task is for.

`celery -A celery_app worker` works for a broker (CELERY_BROKER_URL); as a program it is client, queue and worker in
one. Without a key a script answers.
"""

from __future__ import annotations

import os
from pathlib import Path

import openai
from celery import Celery

import specspan
from specspan.testing import ScriptedModel

specspan.configure(policy=Path(__file__).with_name("strict_policy.yaml"), service_name="travel-desk")
specspan.instrument("openai")

app = Celery("travel", broker="memory://", backend="cache+memory://")

SCRIPT = {"early": "It leaves at six.", "sleeper": "There is one, every night at ten. Book it only today !"}
if "OPENAI_API_KEY" in os.environ:
    client = openai.OpenAI()
else:
    scripted = ScriptedModel(SCRIPT).__enter__()
    client = openai.OpenAI(base_url=scripted.base_url, api_key=scripted.api_key)


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def answer(question: str, conversation: str) -> str:
    """Answer a question; an answer that the policy stops is no reason to try again, so it is no failure of the task."""
    try:
        with specspan.context(conversation=conversation):
            completion = client.chat.completions.create(
                model="gpt-5-mini", messages=[{"role": "user", "content": question}]
            )
        return completion.choices[0].message.content or ""
    except specspan.Blocked as stopped:
        return f"(stopped by {stopped.decision.governing_clause})"


if __name__ == "__main__":
    from celery.contrib.testing.worker import start_worker

    with start_worker(app, perform_ping_check=False):
        waiting = [answer.delay("When is the early train?", "c-1"), answer.delay("Is there a sleeper?", "c-2")]
        for each in waiting:
            print(each.get(timeout=30))
