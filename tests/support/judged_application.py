"""Application of its own process for tests of judges: it asks, and is killed, or forks and both sides ask."""

from __future__ import annotations

import os
import signal
import sys

import openai

import specspan
from specspan.runtime.configuration import current_configuration


def ask(base_url: str, question: str) -> None:
    """Make one call."""
    with openai.OpenAI(base_url=base_url, api_key="x") as client:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])


def main(way: str, base_url: str) -> None:
    """Run in the current folder, whose ``policy.yaml`` counts."""
    specspan.configure("policy.yaml", db="specspan.db")
    specspan.instrument("openai")
    ask(base_url, "hello of the parent")
    if way == "killed":
        configuration = current_configuration()
        if configuration is not None:
            configuration.pipeline.recorder.force_flush(10)
        os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    ask(base_url, f"hello of {'the other' if child else 'a child'}")
    flushed = specspan.force_flush(20)
    if not child:
        os._exit(0 if flushed else 1)
    _, status = os.waitpid(child, 0)
    sys.exit(status or not flushed)


if __name__ == "__main__":
    main(*sys.argv[1:3])
