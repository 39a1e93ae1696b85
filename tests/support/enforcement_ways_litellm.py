"""Ways through LiteLLM, in the environment that has it: the text stands in a field that no reader knows.

LiteLLM leaves out what it does not know in many places; these are handed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from enforcement_places import Places, ways_of_places
from enforcement_table import BEFORE, Way
from enforcement_ways_all import WIRES
from enforcement_wire_openai_chat import body, choice, chunk, message

_LITELLM = Places(
    bodies={
        "head": lambda text: message(BEFORE) | {"output_text": text},
        "choice": lambda text: body(choice({"role": "assistant", "content": BEFORE}) | {"refusal": text}),
        "message": lambda text: message(BEFORE, notes={"deep": [{"er": text}]}),
    },
    events={
        "choice": lambda text: chunk(
            choices=[{"index": 0, "delta": {"content": "x"}, "finish_reason": None, "note": text}]
        ),
        "delta": lambda text: chunk({"content": "x", "note": text}),
        "delta_list": lambda text: chunk({"content": "x", "citations": [text]}),
    },
    start=(chunk({"content": BEFORE}),),
    end=(chunk(finish="stop"),),
)


def _ways(wire: str) -> Iterator[Way]:
    for way in ways_of_places(wire, _LITELLM):
        yield replace(way, actions=("block",))


WAYS = tuple(_ways("litellm")) if "litellm" in WIRES else ()
