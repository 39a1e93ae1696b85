"""Gateway that sorts a question with a model, sends it to the agent by a queue, and waits for the answer.

The scope of the agent for this customer is declared here, and nowhere else.
"""

from __future__ import annotations

import os
import sys

import openai
from message_queue import MessageQueue
from opentelemetry import trace
from telemetry import begin, stop_event

import specspan

DESKS = ("orders", "refunds", "other")
SCOPE = specspan.ScopeOfAutonomy(
    allowed_tools=("find_order", "find_payment", "issue_refund"),
    limits={"issue_refund": {"amount": specspan.ArgumentLimit(max=50)}},
    details={"on_behalf_of": "ann"},
)


@specspan.check("names_a_desk", stage="output", version="1")
def names_a_desk(call: specspan.ModelCall) -> bool:
    """Return whether the answer names a desk, for the clause `only_sort`."""
    return call.output_text.strip().lower() in DESKS


def desk_for(question: str) -> str:
    """Ask a model which desk a question is for."""
    instructions = f"Name the desk for this question: {', '.join(DESKS)}. One word."
    try:
        with openai.OpenAI() as client:
            completion = client.chat.completions.create(
                model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"),
                messages=[{"role": "developer", "content": instructions}, {"role": "user", "content": question}],
            )
    except specspan.Blocked:  # the model named none
        return "other"
    return (completion.choices[0].message.content or "other").strip()


@specspan.workflow("customer question")
def handle(question: str, queue: MessageQueue) -> str:
    """Return the answer; the id of its trace is printed before."""
    print(f"{trace.get_current_span().get_span_context().trace_id:032x}", flush=True)
    queue.send("questions", {"desk": desk_for(question), "question": question})
    with queue.receive("answers", stop) as answer:
        if answer is None:
            raise SystemExit("the gateway was told to stop before there was an answer")
        return str(answer.body["text"])


if __name__ == "__main__":
    stop = stop_event()
    begin("gateway")
    specspan.instrument("openai")
    questions = MessageQueue(os.environ["SHOP_QUEUE"])
    with specspan.context(user="ann", scope=SCOPE):
        text = handle(sys.argv[1], questions)
    questions.close()
    print(" ".join(text.split()), flush=True)
    stop.wait()
