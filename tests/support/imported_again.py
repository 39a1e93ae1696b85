"""Client that is imported again in several ways, in a process of its own; prints which of its methods are met."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import groq
import httpx

import specspan
from specspan.instrument.patches import is_replaced
from specspan.testing.memory import recorded

ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
}
EVENT = (
    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    '[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
MODULE = "resources.chat.completions"


def spans_of_calls(client_module: Any) -> int:
    """Return how many spans a plain and a streamed call make."""

    def reply(request: httpx.Request) -> httpx.Response:
        if b'"stream":true' in request.read().replace(b" ", b""):
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=EVENT)
        return httpx.Response(200, json=ANSWER)

    over = httpx.Client(transport=httpx.MockTransport(reply))
    client = client_module.Groq(api_key="test", http_client=over)
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with recorded() as record:
        client.chat.completions.create(**asked)
        list(client.chat.completions.create(**asked, stream=True))
    return len(record.spans)


def purge(prefix: str) -> None:
    """Drop a package and its modules from ``sys.modules``."""
    for name in [name for name in sys.modules if name == prefix or name.startswith(f"{prefix}.")]:
        del sys.modules[name]


def under_another_name() -> Any:
    """Load the client's own files under another name, as hosts of plug-ins do."""
    folder = Path(groq.__file__).parent
    spec = importlib.util.spec_from_file_location(
        "host_plugin", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["host_plugin"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vendored(folder: Path) -> Any:
    """Import a copy of the client that stands below another package."""
    package = folder / "some_application"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "groq").symlink_to(Path(groq.__file__).parent)
    sys.path.insert(0, str(folder))
    return importlib.import_module("some_application.groq")


def main(folder: Path) -> None:
    """Import the client again in every way, and write down how many spans its calls make."""
    specspan.instrument()
    found = {"at first": spans_of_calls(groq)}
    found["under another name"] = spans_of_calls(under_another_name())
    found["vendored"] = spans_of_calls(vendored(folder))
    importlib.reload(sys.modules[f"groq.{MODULE}"])
    found["reloaded"] = spans_of_calls(groq)
    del sys.modules[f"groq.{MODULE}"]
    again = importlib.import_module(f"groq.{MODULE}")
    found["one module imported again"] = 2 * is_replaced(vars(again.Completions)["create"])
    purge("groq")
    found["all of it imported again"] = spans_of_calls(importlib.import_module("groq"))
    specspan.uninstrument()
    found["uninstrumented"] = spans_of_calls(sys.modules["host_plugin"]) + spans_of_calls(sys.modules["groq"])
    sys.stdout.write(repr(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
