"""`docs/process.md` lists everything that specspan changes in a process, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from specspan.instrument.patches import PROCESS_PATCHES, replace_function

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "process.md").read_text()
HOOKS = {
    "atexit.register": "atexit.register",
    "os.register_at_fork": "os.register_at_fork",
    "util.register_after_fork": "multiprocessing.util.register_after_fork",
    "util.Finalize": "multiprocessing.util.Finalize",
    "signals.worker_process_shutdown.connect": "celery.signals.worker_process_shutdown.connect",
    "wrapt.register_post_import_hook": "wrapt.register_post_import_hook",
    "gevent.Greenlet.add_spawn_callback": "gevent.Greenlet.add_spawn_callback",
    "sys.set_asyncgen_hooks": "sys.set_asyncgen_hooks",
    "sys.path.insert": "sys.path.insert",
    "sys.meta_path.insert": "sys.meta_path.insert",
}
"""Calls that hook into the process, as the code and as the page writes them."""
PROMISED_NEVER = re.compile(
    r"(.*\.)?(set_(tracer|meter|logger)_provider|set_global_textmap|addHandler|setLevel|captureWarnings|filterwarnings|"
    r"simplefilter|putenv)|signal\.signal|os\.environ\.(update|setdefault|pop)"
)


@cache
def sources() -> dict[str, ast.Module]:
    """The code of every module."""
    return {
        path.relative_to(folder).as_posix().removeprefix("specspan/"): ast.parse(path.read_text())
        for folder in (ROOT / "src", *sorted((ROOT / "exporters").glob("*/src")))
        for path in sorted(folder.rglob("*.py"))
    }


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in the code: its module, the function as it is written, and the call."""
    return [
        (module, ast.unparse(node.func), node)
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def rows(heading: str) -> list[list[str]]:
    """The cells of every row of the table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def code(cell: str) -> list[str]:
    """What a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def listed(heading: str) -> list[tuple[str, str]]:
    """What the rows of a table are about, and the modules they name."""
    return sorted((code(row[0])[0], code(row[-1])[0]) for row in rows(heading))


def text(node: ast.expr | None) -> str:
    """A string in the code; the varying part of one that is put together is written ``{…}``."""
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "{…}" for each in node.values)  # type: ignore[misc]
    assert isinstance(node, ast.Constant)
    return str(node.value)


def test_functions_that_are_replaced() -> None:
    """The page lists the functions of the one table that there is; no other can be replaced."""
    assert {code(row[0])[0] for row in rows("Functions that are replaced")} == PROCESS_PATCHES.keys()
    with pytest.raises(ValueError, match=r"unknown place 'os:getcwd'.*docs/process\.md"):
        replace_function("os:getcwd", lambda original, undo: original)


def imported_names(tree: ast.Module) -> set[str]:
    """The names that a module's imports give."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return {alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names}


def assigned(tree: ast.Module) -> Iterator[str]:
    """The attributes and items that a module assigns to."""
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, (ast.Attribute, ast.Subscript)):
                yield ast.unparse(target)


def test_only_one_module_replaces_what_is_not_ours() -> None:
    """Attributes of what a module imports are set in `instrument/patches.py` alone; elsewhere, those of one object."""
    replaced = set()
    for module, tree in sources().items():
        imported = imported_names(tree)
        replaced |= {(module, place) for place in assigned(tree) if re.split(r"\W", place)[0] in imported}
    assert replaced == {
        ("cli/options.py", "sys.path[:]"),
        ("cli/options.py", "sys.modules[path.stem]"),  # a module that the command line names
    }
    setters = {
        module
        for module, function, call in calls()
        if function in ("setattr", "delattr") and ast.unparse(call.args[0]) != "self"
    }
    assert setters == {
        "_support/otel_private.py",  # one exporter's method
        "instrument/patches.py",
        "instrument/watched_streams.py",  # one answer's stream and response
        "instrument/formats/generated_client.py",  # one answer's stream
        "instrument/proxies.py",  # what an application sets on a stand-in
        "instrument/stream_proxies.py",  # properties of its own classes
    }


def test_hooks() -> None:
    """Every hook is on the page with the module that sets it."""
    found = {(HOOKS[function], module) for module, function, _ in calls() if function in HOOKS}
    assert sorted(found) == listed("Hooks")


def test_context() -> None:
    """Every context variable and every key of OpenTelemetry's context is on the page."""
    makers = ("ContextVar", "create_key")
    found = {(text(call.args[0]), module) for module, function, call in calls() if function in makers}
    assert sorted(found) == listed("Context")


def test_threads() -> None:
    """Every thread is on the page by its name, but those of the server that tests start."""
    found = {
        (text(next((each.value for each in call.keywords if each.arg == "name"), None)).replace("…", "kind"), module)
        for module, function, call in calls()
        if function == "threading.Thread" and module != "testing/server.py"
    }
    assert sorted(found) == listed("Threads")


def test_providers() -> None:
    """Whatever adds a processor to a provider is on the page."""
    adders = ("add_span_processor", "add_log_record_processor")
    found = {(function.rpartition(".")[2], module) for module, function, _ in calls() if function.endswith(adders)}
    assert sorted(found) == listed("Providers of telemetry")


def test_private_parts_of_opentelemetry() -> None:
    """The page names what `_support/otel_private.py` relies on."""
    tree = sources()["_support/otel_private.py"]
    private = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr)}
    private |= {
        text(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr")
        if isinstance(node.args[1], ast.Constant) and text(node.args[1]).startswith("_")
    }
    private |= {
        text(name) for _, function, call in calls() if function == "replace_global_of_method" for name in call.args[2:3]
    }
    assert private == {name for row in rows("Parts of OpenTelemetry that are not public") for name in code(row[0])}


def test_what_is_never_done() -> None:
    """No global provider, propagator, signal handler, warning filter, log handler or variable is set anywhere."""
    assert {(module, function) for module, function, _ in calls() if PROMISED_NEVER.fullmatch(function)} == set()
