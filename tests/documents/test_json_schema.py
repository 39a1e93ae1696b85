"""Definitions of a schema are found from wherever it is put."""

from __future__ import annotations

from json_schemas import admits

from specspan.documents.json_schema import hoist_definitions, map_schemas, prefix_definitions, reference

INNER = {
    "type": "object",
    "properties": {"size": {"$ref": "#/$defs/Size"}, "$defs": {"type": "string"}},
    "$defs": {"Size": {"enum": ["small", "large"]}},
    "examples": [{"$ref": "#/$defs/Size", "anyOf": 3}],
}
OUTER = {"anyOf": [{"type": "string"}, INNER], "description": "text, or more"}


def test_definitions_are_hoisted_from_any_depth() -> None:
    """A schema brings its definitions along; those of a property that is called so stay where they are."""
    schema = hoist_definitions(OUTER)
    assert set(schema["$defs"]) == {"Size"}
    assert admits(schema, {"size": "small", "$defs": "x"})
    assert not admits(schema, {"size": "middling"})
    assert not admits(schema, {"$defs": 1})


def test_nothing_is_changed_in_what_was_given() -> None:
    """Examples are data, and the schema itself is somebody else's."""
    assert hoist_definitions(OUTER)["anyOf"][1]["examples"] == INNER["examples"]
    assert "$defs" in INNER
    assert hoist_definitions(hoist_definitions(OUTER)) == hoist_definitions(OUTER)


def test_a_prefix_keeps_the_definitions_of_two_schemas_apart() -> None:
    """References follow their definitions, also under a name that JSON Pointer has to escape."""
    one = prefix_definitions(OUTER, "a/b~.")
    other = prefix_definitions({"$ref": "#/$defs/Size", "$defs": {"Size": {"type": "null"}}}, "c.")
    both = {"$defs": {**one.pop("$defs"), **other.pop("$defs")}, "anyOf": [one, other]}
    assert set(both["$defs"]) == {"a/b~.Size", "c.Size"}
    assert admits(both, {"size": "large"})
    assert admits(both, None)
    assert not admits(both, 3)
    assert reference("a/b~.Size") == {"$ref": "#/$defs/a~1b~0.Size"}


def test_a_change_reaches_every_schema_inside() -> None:
    """Those of lists, of properties and of what else may stand there; true and false are left alone."""
    seen: list[str] = []
    leaf = {"title": "x"}
    schema = {
        "title": "x",
        "items": leaf,
        "additionalProperties": False,
        "properties": {"title": leaf},
        "allOf": [leaf, True],
        "const": {"title": "no schema"},
    }

    def untitled(each: dict[str, object]) -> dict[str, object]:
        seen.append(str(each.pop("title")))
        return each

    made = map_schemas(schema, untitled)
    assert seen == ["x"] * 4
    assert made["properties"] == {"title": {}}
    assert made["const"] == {"title": "no schema"}
