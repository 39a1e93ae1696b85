"""Driving the conversations: the real client against the scripted model, or against a real service."""

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
class Service:
    """What answers."""

    client: openai.OpenAI
    model: str
    scripted: bool
    base_url: str


@dataclass(frozen=True, slots=True)
class Told:
    """One conversation, as the person lived through it."""

    conversation: Conversation
    heard: str
    stopped: bool
    """Whether the policy ended it; what was heard by then is in ``heard``."""
    trace_id: str


@contextmanager
def service(environ: Mapping[str, str] = os.environ) -> Iterator[Service]:
    """The real service where ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` name one, else the scripted model."""
    key, url = environ.get("OPENAI_API_KEY"), environ.get("OPENAI_BASE_URL")
    if key and url:
        with openai.OpenAI(api_key=key, base_url=url) as client:
            yield Service(client, environ.get("OPENAI_MODEL", _REAL_MODEL), scripted=False, base_url=url)
        return
    with ScriptedModel(script) as model, openai.OpenAI(api_key=model.api_key, base_url=model.base_url) as client:
        yield Service(client, model.model, scripted=True, base_url=model.base_url)


def converse(asked: Conversation, with_: Service) -> Told:
    """Hold one conversation, under what the application knows and declares about it."""
    with ExitStack() as stack:
        stack.enter_context(specspan.context(conversation=asked.id, user="visitor", under_18=asked.under_18))
        for declared in asked.overrides:
            stack.enter_context(specspan.override(declared.clause, by=declared.by, reason=declared.reason))
        return _conversation(asked, SupportDesk(with_.client, with_.model))


@specspan.observe(name="conversation")
def _conversation(asked: Conversation, desk: SupportDesk) -> Told:
    """One trace."""
    trace_id = trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
    heard = StringIO()
    stopped = False
    try:
        for piece in desk.stream(asked.question) if asked.streamed else (desk.answer(asked.question),):
            heard.write(piece)
    except specspan.Blocked:
        stopped = True
    return Told(asked, heard.getvalue(), stopped, trace_id)
