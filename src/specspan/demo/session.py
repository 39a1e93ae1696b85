"""Session of the demo: the real openai client talks to a scripted model, or to a real service."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO

import openai
from opentelemetry import trace

import specspan
from specspan.demo.assistant import SupportDesk
from specspan.demo.conversations import Conversation, script
from specspan.testing import ScriptedModel

_REAL_MODEL = "gpt-5-mini"


@dataclass(frozen=True, slots=True)
class ModelService:
    """Model service that answers the support desk, with a client of it."""

    client: openai.OpenAI
    model: str
    is_scripted: bool
    base_url: str


@dataclass(frozen=True, slots=True)
class ConversationResult:
    """Outcome of one conversation for the person who asked."""

    conversation: Conversation
    answer: str
    """Text that the person received; where the call was blocked, until then."""
    is_blocked: bool
    """True where the policy ended the call."""
    trace_id: str


@contextmanager
def connect(environ: Mapping[str, str] = os.environ) -> Iterator[ModelService]:
    """Yield the real service where ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are set, else the scripted model."""
    key, url = environ.get("OPENAI_API_KEY"), environ.get("OPENAI_BASE_URL")
    if key and url:
        with openai.OpenAI(api_key=key, base_url=url) as client:
            yield ModelService(client, environ.get("OPENAI_MODEL", _REAL_MODEL), is_scripted=False, base_url=url)
        return
    with ScriptedModel(script) as model, openai.OpenAI(api_key=model.api_key, base_url=model.base_url) as client:
        yield ModelService(client, model.model, is_scripted=True, base_url=model.base_url)


def converse(conversation: Conversation, service: ModelService) -> ConversationResult:
    """Hold one conversation with its circumstances and the overrides it declares."""
    with ExitStack() as stack:
        stack.enter_context(
            specspan.context(conversation=conversation.id, user="visitor", under_18=conversation.under_18)
        )
        for override in conversation.overrides:
            stack.enter_context(specspan.override(override.clause, by=override.by, reason=override.reason))
        return _run(conversation, SupportDesk(service.client, service.model))


@specspan.observe(name="conversation")
def _run(conversation: Conversation, desk: SupportDesk) -> ConversationResult:
    """Ask one question; its calls are one trace."""
    trace_id = trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
    answer = StringIO()
    is_blocked = False
    try:
        if conversation.streamed:
            answer.writelines(desk.stream(conversation.question))
        else:
            answer.write(desk.answer(conversation.question))
    except specspan.Blocked:
        is_blocked = True
    return ConversationResult(conversation, answer.getvalue(), is_blocked, trace_id)
