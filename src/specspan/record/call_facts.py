"""Facts of a call that decide with its content, and that the conventions have no attributes for. Pure.

They are recorded only where content is, so that a recorded call can be decided again as it was decided first.
"""

from __future__ import annotations

from typing import Any

from specspan.call import CallContext, ModelCall, Reasoning, Request, Response
from specspan.scope.text import scope_to_json

Facts = dict[str, Any]


def call_facts(call: ModelCall) -> Facts:
    """Return the facts by name; empty for a call of which the conventions' attributes say everything.

    - ``attributes``: facts that the application declared (`specspan.context`).
    - ``scope``, ``trust``, ``spent``: the scope of autonomy in force, its origin, and True where nothing of a cost
      limit was left.
    - ``conversation``: the provider's and the application's, where the provider has one.
    - ``repeated``, ``seen``, ``executes``: as in `specspan.call.Request`.
    - ``unlisted``: texts in fields of the answer that no reader knows.
    - ``encrypted``: pointers of parts with reasoning that nobody can read.
    - ``answered``: True for an answer without a message.
    """
    facts = {**_context_facts(call.context), **_request_facts(call.request, call.context)}
    if call.response is not None:
        facts |= _response_facts(call.response)
    encrypted = _encrypted_parts(call)
    return facts | ({"encrypted": encrypted} if encrypted else {})


def _context_facts(context: CallContext) -> Facts:
    facts: Facts = {}
    if context.attributes:
        facts["attributes"] = dict(context.attributes)
    if context.scope is not None:
        facts["scope"] = scope_to_json(context.scope)
    if context.standing is not None:
        facts["trust"] = context.standing.trust.value
        if any(not budget.remaining.amount for budget in context.standing.budgets):
            facts["spent"] = True
    return facts


def _request_facts(request: Request, context: CallContext) -> Facts:
    facts: Facts = {}
    if request.conversation is not None:
        facts["conversation"] = [request.conversation, context.conversation]
    if request.repeated:
        facts["repeated"] = list(request.repeated)
    if not request.is_seen:
        facts["seen"] = False
    if request.executes is not None:
        facts["executes"] = {"name": request.executes.name, "arguments": request.executes.arguments}
    return facts


def _response_facts(response: Response) -> Facts:
    facts: Facts = {}
    if response.unlisted:
        facts["unlisted"] = [list(texts) for texts in response.unlisted]
    if not response.output and not response.in_progress:
        facts["answered"] = True
    return facts


def _encrypted_parts(call: ModelCall) -> list[str]:
    sides = (("input", call.input), ("output", call.output))
    return [
        f"/{side}/{i}/parts/{j}"
        for side, messages in sides
        for i, message in enumerate(messages)
        for j, part in enumerate(message.parts)
        if part.__class__ is Reasoning and part.is_encrypted
    ]
