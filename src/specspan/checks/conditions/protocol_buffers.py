"""Protocol buffer messages that are declared here, without generated code: types of CEL, and its syntax tree."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from specspan.checks.check import CheckConfigError

Fields = Mapping[str, str]
"""By name of a field, its type: a scalar, ``Struct``, ``Value`` or a message of the same package; ``*`` for a list."""


def require_cel() -> Any:
    """Return the module of CEL's own implementation.

    Raises:
        CheckConfigError: the packages are not installed.
    """
    try:
        import google.protobuf.descriptor_pb2  # noqa: F401
        from cel_expr_python import cel
    except ImportError:
        raise CheckConfigError(
            "a condition needs the packages 'cel-expr-python' and 'protobuf', from Python 3.11",
            "Run: pip install 'specspan[cel]'",
        ) from None
    return cel


def pool_with(package: str, messages: Mapping[str, Fields]) -> Any:
    """Return a descriptor pool that holds ``messages``, whose fields count from 1 unless they give a number."""
    from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3", dependency=[struct_pb2.DESCRIPTOR.name]
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, declaration) in enumerate(fields.items(), 1):
            _add_field(message, field, number, package, declaration)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _add_field(message: Any, name: str, number: int, package: str, declaration: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    declared, _, own_number = declaration.partition(" = ")
    kind, is_list = declared.rstrip("*"), declared.endswith("*")
    scalar = {"string": Field.TYPE_STRING, "bool": Field.TYPE_BOOL, "int": Field.TYPE_INT64}.get(kind)
    field = message.field.add(name=name, number=int(own_number or number), type=scalar or Field.TYPE_MESSAGE)
    field.label = Field.LABEL_REPEATED if is_list else Field.LABEL_OPTIONAL
    if scalar is None:
        field.type_name = f".google.protobuf.{kind}" if kind in ("Struct", "Value") else f".{package}.{kind}"


_SYNTAX: Mapping[str, Fields] = {  # cel/expr/checked.proto and syntax.proto, as far as they are read here
    "Any": {"value": "Checked = 2"},
    "Checked": {"types": "TypeEntry* = 3", "expr": "Expr = 4"},
    "TypeEntry": {"id": "int = 1", "type": "Type = 2"},
    "Type": {"list": "Nothing = 6", "map": "Nothing = 7"},
    "Nothing": {},
    "Expr": {
        "id": "int = 2",
        "constant": "Constant = 3",
        "ident": "Ident = 4",
        "select": "Select = 5",
        "call": "Call = 6",
        "list": "List = 7",
        "struct": "Structure = 8",
        "comprehension": "Comprehension = 9",
    },
    "Constant": {"text": "string = 6"},
    "Ident": {"name": "string = 1"},
    "Select": {"operand": "Expr = 1", "field": "string = 2"},
    "Call": {"target": "Expr = 1", "function": "string = 2", "args": "Expr* = 3"},
    "List": {"elements": "Expr* = 1"},
    "Structure": {"name": "string = 1", "entries": "Entry* = 2"},
    "Entry": {"key": "Expr = 3", "value": "Expr = 4"},
    "Comprehension": {
        "variable": "string = 1",
        "range": "Expr = 2",
        "accumulator": "string = 3",
        "start": "Expr = 4",
        "condition": "Expr = 5",
        "step": "Expr = 6",
        "result": "Expr = 7",
    },
}


@functools.cache
def _checked_message() -> Any:
    from google.protobuf import message_factory

    pool = pool_with("specspan.cel", _SYNTAX)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("specspan.cel.Any"))


def read_checked(serialized: bytes) -> Any:
    """Return the checked syntax tree of an expression, as CEL serialises it."""
    return _checked_message().FromString(serialized).value
