"""The shop behind the support desk: three small fake tools and how a model is told about them."""

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
    """What is known about an order."""
    return _ORDERS.get(order, {"error": "no such order"})


@specspan.observe
def find_payment(order: str) -> Mapping[str, Any]:
    """How an order was paid. It says more than a customer may read, as old systems do."""
    return _PAYMENTS.get(order, {"error": "no such order"})


@specspan.observe
def issue_refund(order: str, amount: float) -> Mapping[str, Any]:
    """Pay money back."""
    return {"order": order, "refunded": amount}


_TOOLS: dict[str, Callable[..., Mapping[str, Any]]] = {
    "find_order": find_order,
    "find_payment": find_payment,
    "issue_refund": issue_refund,
}


def use(name: str, arguments: str) -> str:
    """Run the tool a model asked for; arguments and answer are JSON, as models write and read it."""
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
