"""Print which methods of the clients hand out a model's answers, decided or not, as Markdown for docs/enforcement.md.

``python tools/answer_methods.py`` looks at the installed clients: at what each public method returns, and whether a
model's words can be reached from that type. ``--write`` puts the table into the page. A method that is neither met nor
named in `NOT_MET` is an error.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import typing
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from botocore.session import get_session

from specspan._support import plugins
from specspan.instrument.adapter import Adapter
from specspan.instrument.patches import find_method

PAGE = Path(__file__).resolve().parents[1] / "docs" / "enforcement.md"
START, END = "<!-- answer methods -->", "<!-- end of answer methods -->"

CLIENTS: dict[str, tuple[str, ...]] = {
    "OpenAI": ("openai.resources",),
    "Anthropic": ("anthropic.resources", "anthropic.lib.bedrock", "anthropic.lib.vertex"),
    "Groq": ("groq.resources",),
    "Together": ("together.resources",),
    "Mistral": ("mistralai.client", "mistralai.azure.client", "mistralai.gcp.client"),
    "Cohere": ("cohere.base_client", "cohere.client", "cohere.client_v2", "cohere.v2.client"),
    "Google": ("google.genai.models", "google.genai.chats", "google.genai.batches", "google.genai.files",
               "google.genai.live", "google.genai._gaos"),
    "Ollama": ("ollama._client",),
}  # fmt: skip
"""Packages and modules that define the methods of each client."""
_ROOTS = re.compile(r"\A(?:google\.)?\w+\.(?:resources\.|client\.(?!Client))?")
_WORDS = re.compile(r"(?:\A|[._])assistant(?:\Z|[._])|CHATBOT|agent\.message\Z|model_output")
"""Value of a field that only a model's words have."""
_ANSWERS = frozenset(
    ("BatchJob", "ChatCompletionStreamManager", "ChatResponse", "Completion", "GenerateContentResponse",
     "GenerateResponse", "Generation", "HttpxBinaryResponseContent", "ResponseStreamManager", "RunStep",
     "SummarizeResponse", "SystemOneResponse")
)  # fmt: skip
"""Types of answers, or of what holds them, that have no such field."""
_ANSWER_ENDINGS = ("StreamManager", "ToolRunner", "MessageThread", "SessionStream", "EventStream", "StreamedResponse")
_SKIPPED_MODULES = ("builtins", "typing", "datetime", "httpx", "pydantic", "collections", "enum")

_BEDROCK = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
BY_OTHERS: dict[str, tuple[str, ...]] = {
    "OpenAI": ("chat.completions.*.stream", "responses.responses.Responses.stream"),
    "Anthropic": ("*.tool_runner", "*.thread"),
    "Mistral": ("*.parse_stream",),
    "Google": ("models.Models.generate_content*", "chats.Chat.send_message*"),
    "Cohere": ("base_client.BaseCohere.chat*", "v2.client.V2Client.chat*"),
}
"""Methods that make their calls by way of methods that are met."""
NOT_MET: dict[str, tuple[tuple[str, str], ...]] = {
    "OpenAI": (
        ("chat.completions.*.list", "lists of many answers"),
        ("responses.input_items.* beta.responses.input_items.*", "what was sent, with answers of earlier turns"),
        ("conversations.*", "turns of many calls"),
        ("beta.threads.* beta.assistants.* beta.chatkit.*", "runs of several calls, which the service makes"),
        ("beta.agents.*", "sessions of agents, which the service runs"),
        ("*.recv *.parse_event", "a connection of its own, no request and answer"),
        ("realtime.* live.* beta.realtime.*", "a connection of its own, no request and answer"),
        ("files.* containers.* skills.*", "files, such as the results of batches"),
        ("audio.* videos.*", "sound and video, no text"),
        ("evals.* fine_tuning.*", "models that are graded or trained, not used"),
    ),
    "Anthropic": (
        ("*.Batches.results", "results of many calls"),
        ("beta.sessions.* beta.agents.* beta.deployment*", "sessions of agents, which the service runs"),
        ("beta.files.*", "files"),
    ),
    "Mistral": (
        ("conversations.*", "turns of many calls, and agents that the service runs"),
        ("audio_* speech.* transcriptions.*", "sound, and what was said in it"),
        ("connectors.*", "results of tools"),
        ("jobs.*", "results of many calls"),
        ("deployments.* events.* executions.* workflows_events.*", "events of what the service runs"),
    ),
    "Cohere": (("*.generate* *.summarize", "endpoints that the service wants no one to use any more"),),
    "Google": (
        ("_gaos.*", "interactions and agents, which the service runs"),
        ("batches.*", "results of many calls"),
        ("live.*", "a connection of its own, no request and answer"),
    ),
    "Together": (("batches.*", "jobs of many calls, whose answers are in files"),),
    "Bedrock": (
        ("InvokeModelWithBidirectionalStream", "a connection of its own, no request and answer"),
        ("*AsyncInvoke*", "answers that the service writes into a store"),
        ("*Guardrail*", "texts of a guardrail"),
        ("CountTokens", "no answer"),
    ),
    "Ollama": (("*.systemone", "classifications"),),
}
"""By client, methods that are not decided, and why; the first pattern that fits counts."""


def table() -> str:
    """Return the table as Markdown.

    Raises:
        LookupError: a method hands out answers, and nobody says why it is not met.
    """
    met = _met_methods()
    lines = ["| client | decided | not decided (methods), and why |", "|---|---|---|"]
    for client, packages in CLIENTS.items():
        decided, undecided = list[str](), list[str]()
        for module, name in _answer_methods(packages):
            short = _ROOTS.sub("", f"{module}.{name}")
            is_met = f"{module}:{name}" in met or _fits(short, BY_OTHERS.get(client, ()))
            (decided if is_met else undecided).append(short)
        lines.append(f"| {client} | {_listed(decided)} | {_reasons(client, undecided) or '–'} |")
    operations = get_session().get_service_model("bedrock-runtime").operation_names
    undecided = [each for each in operations if each not in _BEDROCK]
    lines.append(f"| Bedrock | {_listed(list(_BEDROCK))} | {_reasons('Bedrock', undecided)} |")
    return "\n".join(lines) + "\n"


def _met_methods() -> set[str]:
    """Return the methods that are met, each by the module and class that define it."""
    found = set()
    for module in plugins.iter_modules("specspan.instrument.providers"):
        for adapter in module.ADAPTERS:
            for path in adapter.methods if isinstance(adapter, Adapter) else ():
                owner, name = find_method(path)
                if owner is not None and inspect.isclass(owner):
                    found.add(f"{owner.__module__}:{owner.__qualname__}.{name}")
    return found


def _answer_methods(packages: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return module and name of each public method from whose result a model's words can be reached."""
    found: dict[tuple[str, str], None] = {}
    for cls in _classes(packages):
        for name, function in list(vars(cls).items()):
            if name.startswith("_") or name.endswith("_async") or not inspect.isfunction(function):
                continue
            if _reaches_words(_hints(function).get("return")):
                found[cls.__module__, f"{cls.__qualname__}.{name}"] = None
    return sorted(found)


def _classes(packages: tuple[str, ...]) -> Iterator[type]:
    for module in dict.fromkeys(each for package in packages for each in _modules(package)):
        for name, cls in list(vars(module).items()):
            is_own = inspect.isclass(cls) and cls.__module__ == module.__name__
            is_twin = name.startswith("Async") and hasattr(module, name.removeprefix("Async"))
            if is_own and not is_twin and not name.startswith("_") and not re.search("WithRaw|WithStreaming", name):
                yield cls


def _modules(package: str) -> Iterator[Any]:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return
    yield module
    for each in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}.", onerror=lambda _: None):
        if not re.search(r"\.(models|types|tests|utils)\b", each.name):
            try:
                yield importlib.import_module(each.name)
            except ImportError:  # of something that is not installed
                continue


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except Exception:  # a name that is imported for type checkers alone
        fields = getattr(thing, "model_fields", None)
        return {name: field.annotation for name, field in fields.items()} if isinstance(fields, dict) else {}


def _reaches_words(kind: Any) -> bool:
    seen: set[Any] = set()
    pending = [kind]
    while pending:
        each = pending.pop()
        if _says_words(each):
            return True
        if inspect.isclass(each):
            if each in seen or each.__module__.startswith(_SKIPPED_MODULES):
                continue
            seen.add(each)
        pending += _parts_of(each)
    return False


def _says_words(kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return any(_WORDS.search(str(value)) for value in typing.get_args(kind))
    name = kind.partition("[")[0] if isinstance(kind, str) else getattr(kind, "__name__", "")
    return name in _ANSWERS or name.endswith(_ANSWER_ENDINGS)


def _parts_of(kind: Any) -> list[Any]:
    """Return the types that a type is made of."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return []
    if origin is not None:
        return [*typing.get_args(kind), origin]
    if hasattr(kind, "__value__"):  # a name for another type
        return [kind.__value__]
    if isinstance(kind, (list, tuple)):
        return list(kind)
    if not inspect.isclass(kind):
        return []
    of_bases = (each for base in getattr(kind, "__orig_bases__", ()) for each in typing.get_args(base))
    return [*_hints(kind).values(), *of_bases]


def _reasons(client: str, methods: list[str]) -> str:
    """Return why methods are not decided, with the number of those that each pattern is about."""
    counts: dict[str, Counter[str]] = {}
    for method in methods:
        pattern, reason = _pattern(client, method)
        counts.setdefault(reason, Counter())[pattern] += 1
    listed = ((reason, (f"`{name}` ({n})" for name, n in patterns.items())) for reason, patterns in counts.items())
    return "; ".join(f"{', '.join(patterns)}: {reason}" for reason, patterns in listed)


def _pattern(client: str, method: str) -> tuple[str, str]:
    for patterns, reason in NOT_MET.get(client, ()):
        for pattern in patterns.split():
            if fnmatchcase(method, pattern):
                return pattern, reason
    raise LookupError(f"{client}: {method} hands out a model's answers: meet it, or say in NOT_MET why not")


def _fits(method: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(method, pattern) for pattern in patterns)


def _listed(methods: list[str]) -> str:
    """Return methods by their class, as one text."""
    by_class: dict[str, list[str]] = {}
    for method in methods:
        owner, _, name = method.rpartition(".")
        by_class.setdefault(owner, []).append(name)
    pieces = (f"`{owner}.{names[0]}`" if owner else f"`{names[0]}`" for owner, names in by_class.items())
    others = ("".join(f", `{each}`" for each in names[1:]) for names in by_class.values())
    return "; ".join(f"{first}{rest}" for first, rest in zip(pieces, others, strict=True))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    made = table()
    if "--write" in sys.argv:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        PAGE.write_text(f"{before}{START}\n\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    else:
        print(made, end="")
