"""Assistant of the support desk: an ordinary application with decorators, to copy from."""

from __future__ import annotations

from collections.abc import Iterator

import openai
from openai.types.chat import ChatCompletionMessageParam

import specspan
from specspan.demo import shop

INSTRUCTIONS = (
    "You are the support desk of Tallow & Tide, a shop for lamps and candles. Be warm, and answer in at most 50 words."
)
_MAX_TURNS = 5


@specspan.check("at_most_50_words", stage="output", version="1")
def at_most_50_words(call: specspan.ModelCall) -> bool | None:
    """Decide `be_brief`; a turn that only calls a tool says nothing that could be long."""
    return len(call.output_text.split()) <= 50 if call.output_text else None


@specspan.check("names_the_return_window", stage="output", version="1")
def names_the_return_window(call: specspan.ModelCall) -> bool | None:
    """Decide `name_the_return_window`, which has no bearing on answers about something else."""
    answer = call.output_text.lower()
    return "30 days" in answer if "return" in answer or "send it back" in answer else None


@specspan.check("suggests_a_parent", stage="output", version="1")
def suggests_a_parent(call: specspan.ModelCall) -> bool:
    """Decide `care_for_minors`, which applies where the application says that the user is under 18."""
    return "parent" in call.output_text.lower()


class SupportDesk:
    """Assistant that answers one question at a time with the tools of the shop."""

    def __init__(self, client: openai.OpenAI, model: str) -> None:
        self._client = client
        self._model = model

    @specspan.observe
    def answer(self, question: str) -> str:
        """Return the whole answer, once the model needs no more tools."""
        messages = self._opening(question)
        for _ in range(_MAX_TURNS):
            completion = self._client.chat.completions.create(
                model=self._model, messages=messages, tools=shop.DEFINITIONS
            )
            message = completion.choices[0].message
            if not message.tool_calls:
                return message.content or ""
            messages.append(message.model_dump(exclude_none=True))  # type: ignore[arg-type]  # the client's own form
            for tool_call in message.tool_calls:
                if tool_call.type == "function":
                    result = shop.run_tool(tool_call.function.name, tool_call.function.arguments)
                    messages.append({"role": "tool", "tool_call_id": tool_call.id, "content": result})
        return "I need a colleague for this one. You will hear from us today."

    @specspan.observe
    def stream(self, question: str) -> Iterator[str]:
        """Yield the answer in pieces, as the model writes it."""
        chunks = self._client.chat.completions.create(
            model=self._model, messages=self._opening(question), stream=True, stream_options={"include_usage": True}
        )
        for chunk in chunks:
            for choice in chunk.choices:
                yield choice.delta.content or ""

    def _opening(self, question: str) -> list[ChatCompletionMessageParam]:
        return [{"role": "developer", "content": INSTRUCTIONS}, {"role": "user", "content": question}]
