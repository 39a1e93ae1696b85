"""A structured file as its model sees it, or what is wrong with it, each with its line."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from specspan.documents.node import Node
from specspan.documents.paths import key_of
from specspan.documents.translation import translated
from specspan.errors import Problem
from specspan.problems import Problems

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], root: Node, problems: Problems) -> Model | None:
    """The whole file as ``model``; None when it is refused, and why is added to ``problems``.

    Validated as JSON: there pydantic's strict mode still reads words and dates from text, and nothing else from text.
    """
    try:
        return model.model_validate_json(json.dumps(root.value))
    except ValidationError as error:
        for path, message, remedy in translated(error, model.model_json_schema()):
            problems.add(Problem(message, remedy, root.at(path).line, key_of(path)))
    return None
