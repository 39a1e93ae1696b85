"""Function for AWS Lambda: what was recorded is handed over before it answers, since nothing runs after that.

Without a key a script answers. As a program it calls itself with two events.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import openai

import specspan
from specspan.testing import ScriptedModel

specspan.configure(
    policy=Path(__file__).with_name("policy.yaml"),
    service_name="travel-desk",
    db=Path(os.environ.get("TMPDIR", "/tmp")) / "specspan.db",  # the only folder that can be written
)
specspan.instrument("openai")

SCRIPT = {"sleeper": "There is one, every night at ten."}
if "OPENAI_API_KEY" in os.environ:
    client = openai.OpenAI()
else:
    scripted = ScriptedModel(SCRIPT).__enter__()
    client = openai.OpenAI(base_url=scripted.base_url, api_key=scripted.api_key)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer the question of an event; the request of the platform is the conversation."""
    try:
        with specspan.context(conversation=event.get("conversation")):
            completion = client.chat.completions.create(
                model="gpt-5-mini", messages=[{"role": "user", "content": event["question"]}]
            )
        return {"statusCode": 200, "body": completion.choices[0].message.content}
    except specspan.Blocked as stopped:
        return {"statusCode": 403, "body": f"stopped by {stopped.decision.governing_clause}"}
    finally:
        specspan.force_flush(timeout_s=2)


if __name__ == "__main__":
    print(handler({"question": "Is there a sleeper?", "conversation": "c-1"}, None)["body"])
