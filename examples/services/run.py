"""Run of the whole example: a question to a gateway, an agent and a tool service, each a process, in one trace.

``--keep`` leaves the backends up until Ctrl-C. Everything listens on loopback alone, and nothing is left running.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from message_queue import MessageQueue
from processes import ProcessGroup, ProcessLost
from scripted import script
from servers import ALL, SERVICES, Backend, BackendAbsent, StoredTrace

from specspan.sqlite import Reader
from specspan.testing import ScriptedModel

HERE = Path(__file__).parent
QUESTION = "Please refund the whole 80 of order A-1. And which card did I pay with?"
START_S, ARRIVE_S = 60.0, 20.0


def main() -> int:
    """Ask one question and return the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave the backends up until Ctrl-C")
    keep = arguments.parse_args().keep
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what is in its background with the first ignored
        signal.signal(number, _raise_interrupt)
    with TemporaryDirectory(prefix="specspan-services-") as path, model() as model_variables:
        folder = Path(path)
        try:
            with ProcessGroup() as processes:
                backends = start_backends(processes, folder)
                variables = {**os.environ, **model_variables, "SHOP_QUEUE": str(folder / "queue.db")}
                trace = ask(processes, variables, backends)
                show(trace.trace_id, backends)
                complete = report_backends(processes, backends, trace)
                with suppress(KeyboardInterrupt):  # from the moment that Ctrl-C is offered
                    print_next_steps(trace.trace_id, keep=keep)
                    processes.wait_for(lambda: None if keep else True)
                return 0 if complete else 1
        except (ProcessLost, TimeoutError) as lost:
            say("stopped", f"{lost}, so everything else was ended, too")
            report_unfinished(folder)
            return 1
        except KeyboardInterrupt:
            say("stopped", "everything was ended")
            report_unfinished(folder)
            return 130


@contextmanager
def model() -> Iterator[Mapping[str, str]]:
    """Yield the variables by which the openai client finds its model: none where it is set, else a scripted one."""
    if os.environ.get("OPENAI_API_KEY") and os.environ.get("OPENAI_BASE_URL"):
        yield {}
        return
    with ScriptedModel(script) as scripted:
        yield {
            "OPENAI_API_KEY": scripted.api_key,
            "OPENAI_BASE_URL": scripted.base_url,
            "OPENAI_MODEL": scripted.model,
        }


def start_backends(processes: ProcessGroup, folder: Path) -> Mapping[str, Backend]:
    """Start each backend that is installed, and print its address."""
    say("SQLite", f"{database()}  spans and decisions")
    started: dict[str, Backend] = {}
    for name, start in ALL.items():
        try:
            started[name] = start(processes, folder, started)
            say(name, f"{started[name].address}  {started[name].receives}")
        except BackendAbsent as absent:
            say(name, f"not here; to have it: {absent}")
    return started


def ask(processes: ProcessGroup, variables: Mapping[str, str], backends: Mapping[str, Backend]) -> StoredTrace:
    """Start the services, ask, and stop them; return the trace as SQLite then holds it."""
    common = {"SPECSPAN_SCOPE_KEY": f"example:{secrets.token_hex(16)}", "OTEL_BSP_SCHEDULE_DELAY": "200", **variables}
    for backend in backends.values():
        common |= backend.variables

    def start(service: str, file: str, *arguments: str) -> None:
        own = {
            name: value
            for backend in backends.values()
            for name, value in backend.service_variables.get(service, {}).items()
        }
        pid = processes.start_service(service, [sys.executable, HERE / file, *arguments], common | own)
        say(service, f"process {pid}")

    start("tools", "tool_service.py")
    common["SHOP_TOOLS"] = f"http://127.0.0.1:{processes.read_line('tools', START_S)}"
    start("agent", "agent.py")
    start("gateway", "gateway.py", QUESTION)
    trace_id = processes.read_line("gateway", START_S)
    say("trace", trace_id)
    say("asked", QUESTION)
    say("heard", processes.read_line("gateway"))
    now_s = time.time()
    for backend in backends.values():
        with suppress(TimeoutError):  # the backend's state is printed with the others'
            processes.wait_for(lambda has_fetched=backend.has_fetched_since: has_fetched(now_s) or None, ARRIVE_S)  # type: ignore[misc]  # a lambda's default
    processes.stop(*SERVICES)
    with Reader(database()) as reader:
        return StoredTrace(trace_id, reader.spans(trace_id), reader.decisions_of(trace_id))


def show(trace_id: str, backends: Mapping[str, Backend]) -> None:
    """Print the trace by `specspan traces show`, with a link to its page where a backend has one."""
    pages = [backend.page for backend in backends.values() if "{trace_id}" in backend.page]
    variables = {**os.environ, **({"SPECSPAN_TRACE_URL": pages[0]} if pages else {})}
    specspan = Path(sys.executable).with_name("specspan")
    print(flush=True)
    subprocess.run([specspan, "traces", "show", trace_id, "--db", database()], env=variables, check=True)
    print()


def report_backends(processes: ProcessGroup, backends: Mapping[str, Backend], trace: StoredTrace) -> bool:
    """Print what each backend holds of the trace, and return whether every one holds all of it."""
    complete = True
    for name, backend in backends.items():
        try:
            held = processes.wait_for(lambda find=backend.find_trace: find(trace), ARRIVE_S)  # type: ignore[misc]  # as above
            say(name, f"{held}  {backend.page.format(trace_id=trace.trace_id, span_id='')}".rstrip())
        except TimeoutError:
            say(name, f"did not get all of it within {ARRIVE_S:g} s")
            complete = False
    return complete


def print_next_steps(trace_id: str, *, keep: bool) -> None:
    """Print commands that show more, and how to keep the backends."""
    db = f" --db {database()}"
    print(f"\nspecspan traces show {trace_id}{db}")
    print(f"specspan decisions list --verdict violated{db}")
    stay = "The backends stay until Ctrl-C." if keep else "To keep the backends up: make services ARGS=--keep"
    print(stay, flush=True)


def report_unfinished(folder: Path) -> None:
    """Print the messages that are not done, and where recorded spans are."""
    if (folder / "queue.db").exists():
        messages = MessageQueue(folder / "queue.db")
        for id_, destination, state in messages.unfinished():
            say("unfinished", f"message {id_} in {destination!r}: {state}")
        messages.close()
    if database().exists():
        say("SQLite", f"{database()}  holds what was recorded until then: specspan traces show --db {database()}")


def database() -> Path:
    """Return the SQLite file of all services."""
    return Path(os.environ.get("SPECSPAN_DB") or "specspan.db").absolute()


def say(name: str, what: str) -> None:
    """Print a name and a value on one line."""
    print(f"{name:<13}{what}", flush=True)


def _raise_interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
