"""Shop behind the support desk: three small fake tools and their definitions for a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from openai.types.chat import ChatCompletionToolUnionParam

import specspan

_ORDERS = {"T-1042": {"item": "Skerry harbour lamp", "total": 340, "state": "left our harbour on Tuesday"}}
_PAYMENTS = {"T-1042": {"card": "4111 1111 1111 1111", "kind": "Visa"}}


@specspan.observe
def find_order(order: str) -> Mapping[str, Any]:
    """Return the state of an order."""
    return _ORDERS.get(order, {"error": "no such order"})


@specspan.observe
def find_payment(order: str) -> Mapping[str, Any]:
    """Return the payment of an order, with more in it than a customer may read."""
    return _PAYMENTS.get(order, {"error": "no such order"})


@specspan.observe
def issue_refund(order: str, amount: float) -> Mapping[str, Any]:
    """Pay money back for an order."""
    return {"order": order, "refunded": amount}


_TOOLS: dict[str, Callable[..., Mapping[str, Any]]] = {
    "find_order": find_order,
    "find_payment": find_payment,
    "issue_refund": issue_refund,
}


def run_tool(name: str, arguments: str) -> str:
    """Run the tool that a model calls and return its result. Arguments and result are JSON."""
    return json.dumps(_TOOLS[name](**json.loads(arguments)))


def _tool(name: str, description: str, **properties: str) -> ChatCompletionToolUnionParam:
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {argument: {"type": kind} for argument, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


DEFINITIONS = [
    _tool("find_order", "What is known about an order", order="string"),
    _tool("find_payment", "How an order was paid", order="string"),
    _tool("issue_refund", "Pay money back for an order", order="string", amount="number"),
]
