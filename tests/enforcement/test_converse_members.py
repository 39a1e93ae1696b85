"""Every text that Amazon Bedrock's Converse can hand over, as its client declares it: read, or out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape, StructureShape
from botocore.session import Session
from enforcement_http import Service
from enforcement_policies import policy_file
from enforcement_runner import call
from enforcement_table import WORD
from enforcement_wire_bedrock_converse import BEGIN, END, WIRE, body, delta, stop

import specspan
from specspan.testing import recorded

_ITEM, _KEY = "[]", "{}"
Path = tuple[str, ...]
OUT_OF_REACH = frozenset(
    ("bucketOwner", "confidence", "domain", "format", "invokedModelId", "latency", "p", "role", "serviceTier",
     "signature", "status", "stopReason", "toolUseId", "ttl", "type", "uri", "url", "qualifiers")
)  # fmt: skip
"""Members in which no model writes: ids, addresses, statuses, and words of closed lists."""


def members(shape: Shape, path: Path = (), seen: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield the path of each text in a shape, without those of a shape inside itself."""
    if shape.name in seen:
        return
    inner = (*seen, shape.name)
    if shape.type_name == "string" or getattr(shape, "is_document_type", False):
        yield path
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if not member.metadata.get("exception"):
                yield from members(member, (*path, name), inner)
    elif shape.type_name == "list":
        yield from members(shape.member, (*path, _ITEM), inner)
    elif shape.type_name == "map":
        yield from members(shape.value, (*path, _KEY), inner)


def value_at(path: Path, text: Any) -> Any:
    """Return a value that holds ``text`` at a path, and nothing else."""
    for name in reversed(path):
        text = [text] if name == _ITEM else {"key" if name == _KEY else name: text}
    return text


def is_out_of_reach(path: Path) -> bool:
    """Return whether no model writes at a path; what a guardrail tells of the request is the application's own."""
    is_told = path[:2] == ("trace", "guardrail") or path[1:3] == ("trace", "guardrail")
    if is_told:
        return "inputAssessment" in path
    is_address = path[-2:] == ("searchResult", "source")
    is_header = path[-1] == "name" and "toolUse" not in path and "toolResult" in path[-2:]
    return path[-1] in OUT_OF_REACH or is_address or is_header


def answers(path: Path) -> Any:
    """Return a body with the word at a path."""
    if path[2:3] == ("content",):
        return body("fine ", value_at(path[4:], WORD))
    if path[0] == "output":
        return body("fine ", output={"message": {"content": [{"text": "fine"}]} | value_at(path[2:], WORD)})
    return body("fine ", **value_at(path, WORD))


def events(path: Path) -> tuple[Any, ...]:
    """Return a stream with an event with the word at a path."""
    return (BEGIN, delta("fine "), value_at(path, WORD), stop(), *END)


def unread(mode: str, path: Path) -> str | None:
    """Return what came out against the policy, or in vain was blocked; None where the path is as it should be."""
    sends: Any = events(path) if mode == "stream" else answers(path)
    service = Service(WIRE.encode(sends), mode == "stream")
    if not call(WIRE.modes[mode], service, {}).has(WORD):
        return None  # the client leaves it out
    with recorded(policy_file("block", {"on_unread": "open"}, {"parts": ["reasoning"]})):
        given = call(WIRE.modes[mode], service, {})
    is_read = isinstance(given.error, specspan.Blocked)
    return None if is_read is not is_out_of_reach(path) else f"{'read' if is_read else 'unread'}: {'.'.join(path)}"


@pytest.mark.parametrize(("mode", "operation"), [("plain", "Converse"), ("stream", "ConverseStream")])
def test_every_member_is_read_or_out_of_reach(mode: str, operation: str) -> None:
    """A member that a later version of the client declares is read, or has to be listed here."""
    shape = Session().get_service_model("bedrock-runtime").operation_model(operation).output_shape
    assert isinstance(shape, StructureShape)
    paths = list(members(shape.members["stream"] if mode == "stream" else shape))
    assert len(paths) > 100
    assert "\n".join(found for path in paths if (found := unread(mode, path)) is not None) == ""
