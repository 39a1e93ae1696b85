"""Calls by the path of a service, through a generated client's own ``post``, ``get`` and ``request``.

Every method of such a client makes its request through one function. A request of a method that is met is part of that
call; any other is met there, by its path: as the call that the client's method for the path would be, or as one whose
answer is not decided, which is counted and said once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from specspan._support.interruption import raise_interruption
from specspan.call import Message, Request, Response, Text, Unknown
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.known_fields import AnswerFields
from specspan.instrument.formats.raw_response import copy_response, fields_in, is_raw
from specspan.instrument.gate import note_undecided

Route: TypeAlias = "tuple[str, str, Adapter | str | None]"
"""Methods of HTTP, pattern of the end of a path, and adapter of such calls; what they are where nobody decides them;
None where they hand out no answer."""
_Compiled: TypeAlias = "tuple[frozenset[str], re.Pattern[str], Adapter | str | None]"


def adapter_by_path(package: str, client: str, install: str, routes: Sequence[Route]) -> Adapter:
    """Return the adapter for all requests of a package's clients; the first route that fits a request counts.

    A path that fits with another method of HTTP may hand out an answer as well. It is the call of a route for ``post``
    where it is ``put`` or ``patch``, and otherwise not decided; what ``delete`` takes away is no answer.

    Args:
        package: the package of the clients.
        client: the name of its class of clients.
        install: what ``pip install`` takes to provide it.
        routes: the paths that are known.
    """
    compiled: list[_Compiled] = [
        (
            frozenset(methods.split()),
            re.compile(rf"(?:.*/)?{path}\Z", re.IGNORECASE),
            _of_requests(met) if isinstance(met, Adapter) else met,
        )
        for methods, path, met in routes
    ]

    def choose(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Adapter | None:
        options = _options(args, kwargs)
        method, path = str(options.method).lower(), _path_of(str(options.url))
        fitting = [(methods, met) for methods, pattern, met in compiled if pattern.match(path)]
        exact = [met for methods, met in fitting if method in methods]
        met = exact[0] if exact else _met_otherwise(method, *fitting[0]) if fitting else None
        if isinstance(met, str):
            note_undecided(f"{met} of {package}")
        return met if isinstance(met, Adapter) else None

    first = next(met for _, _, met in compiled if isinstance(met, Adapter))
    return replace(
        first,
        package=package,
        install=install,
        choose=choose,
        is_inner=True,
        methods=(
            *(f"{package}._base_client:{kind}APIClient.request" for kind in ("Sync", "Async")),
            *(f"{package}:{kind}{client}.request" for kind in ("", "Async")),  # where other instrumentation put one
        ),
    )


def _met_otherwise(method: str, methods: frozenset[str], met: Adapter | str | None) -> Adapter | str | None:
    """Return what a request is to a path that is known with other ``methods`` of HTTP."""
    if method == "delete" and methods != _POST:
        return None
    if isinstance(met, Adapter) and not ("post" in methods and method in ("put", "patch")):
        return f"answers to {method.upper()} by path"
    return met


_POST = frozenset(("post",))
_MAX_ENCODINGS = 3
_SEGMENT = re.compile(r"[\w%-]*")


def _path_of(url: str) -> str:
    """Return the path of an address as a service may read it.

    It is decoded, and has no empty segments, no blanks, and nothing that follows a name in a segment, such as ``;v=1``.
    """
    path = urlsplit(url).path
    for _ in range(_MAX_ENCODINGS):  # as a proxy in front of the service may have decoded it already
        path = unquote(path)
    segments: list[str] = []
    for each in path.replace("\\", "/").split("/"):
        if each.strip() == "..":
            del segments[-1:]
        elif (found := _SEGMENT.match(each.strip())) and found[0]:
            segments.append(found[0])
    return "/".join(segments)


def _of_requests(adapter: Adapter) -> Adapter:
    """Return the adapter of a client's method for requests that the method would make."""

    def request(invocation: Invocation) -> Request:
        return adapter.request(_as_method_call(invocation))

    def response(answer: Any) -> Response | None:
        if not _is_body(answer):
            return adapter.response(answer)
        try:
            body = json.loads(_bytes_of(answer))
        except ValueError as error:  # read as the text that it is
            raise_interruption(error)
            text = Text(_bytes_of(answer).decode(errors="replace"))
            return Response(output=(Message("assistant", (text, Unknown("body"))),))
        return adapter.response(body)

    def edit_request(invocation: Invocation, edits: Edits) -> Invocation:
        edited = adapter.edit_request(_as_method_call(invocation), edits).kwargs
        options = _options(invocation.args, invocation.kwargs)
        body = {name: edited[name] for name in as_mapping(options.json_data)}
        changed = options.model_copy(update={"json_data": body})
        if len(invocation.args) > 1:
            return replace(invocation, args=(invocation.args[0], changed, *invocation.args[2:]))
        return replace(invocation, kwargs={**invocation.kwargs, "options": changed})

    def edit_response(answer: Any, edits: Edits) -> Any:
        if _is_body(answer):
            return _with_body(answer, adapter.edit_response(json.loads(_bytes_of(answer)), edits))
        return adapter.edit_response(answer, edits)

    return replace(
        adapter,
        request=request,
        response=response,
        edit_request=edit_request,
        edit_response=edit_response,
        fields=None if adapter.fields is None else _fields_of_requests(adapter.fields),
        load=_loader(adapter.load),
        methods=(),
    )


def _fields_of_requests(fields: AnswerFields) -> AnswerFields:
    """Return where the fields of an answer stand that may be a body as it came."""

    def body(answer: Any) -> Any:
        if _is_body(answer):
            return fields_in(_bytes_of(answer))
        return answer if fields.body is None else fields.body(answer)

    def edit(answer: Any, change: Callable[[Any], Any]) -> Any:
        if _is_body(answer):
            return _with_body(answer, change(json.loads(_bytes_of(answer))))
        return fields.edit(answer, change)

    return replace(fields, body=body, edit=edit)


def _options(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[1] if len(args) > 1 else kwargs["options"]


def _as_method_call(invocation: Invocation) -> Invocation:
    """Return the call of the client's own method, which would make this request."""
    options = _options(invocation.args, invocation.kwargs)
    arguments = {**as_mapping(options.params), **as_mapping(options.json_data)}
    if invocation.kwargs.get("stream"):
        arguments["stream"] = True
    return Invocation(SimpleNamespace(_client=invocation.instance), (), arguments)


def _is_body(answer: Any) -> bool:
    """Return whether an answer is a body as it came: an HTTP response, a client's holder of one, or bytes."""
    return isinstance(answer, bytes) or _http_of(answer) is not None


def _http_of(answer: Any) -> Any | None:
    """Return the HTTP response that an answer is or holds; None if it is none."""
    if is_raw(answer):
        return None
    responses = (answer, getattr(answer, "response", None))
    return next((each for each in responses if hasattr(each, "status_code") and hasattr(each, "iter_bytes")), None)


def _bytes_of(answer: Any) -> bytes:
    """Return the bytes of a body as it came."""
    http = _http_of(answer)
    return answer if http is None else http.content  # type: ignore[no-any-return]  # the client's own types


def _with_body(answer: Any, body: Any) -> Any:
    """Return a copy of a body as it came with other JSON in it."""
    http = _http_of(answer)
    if http is None:
        return json.dumps(body).encode()
    copied = copy_response(http, body)
    return copied if http is answer else type(answer)(copied)


def _loader(load: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    return load if load is None else lambda answer: None if _is_body(answer) else load(answer)
