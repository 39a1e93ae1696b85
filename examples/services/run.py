"""Run the whole: a question to a gateway, an agent and a tool service, each a process, in one trace.

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

from crew import Crew, Lost
from message_queue import MessageQueue
from scripted import script
from servers import ALL, SERVICES, Absent, Backend, Stored

from specspan.testing import ScriptedModel
from specspan_exporter_sqlite import Reader

HERE = Path(__file__).parent
QUESTION = "Please refund the whole 80 of order A-1. And which card did I pay with?"
START_S, ARRIVE_S = 60.0, 20.0


def main() -> int:
    """Ask one question; the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave the backends up until Ctrl-C")
    keep = arguments.parse_args().keep
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what is in its background with the first ignored
        signal.signal(number, _interrupted)
    with TemporaryDirectory(prefix="specspan-services-") as named, model() as answering:
        folder = Path(named)
        try:
            with Crew() as crew:
                backends = start_backends(crew, folder)
                variables = {**os.environ, **answering, "SHOP_QUEUE": str(folder / "queue.db")}
                trace = ask(crew, variables, backends)
                show(trace.trace_id, backends)
                complete = say_what_arrived(crew, backends, trace)
                with suppress(KeyboardInterrupt):  # from the moment it is offered
                    look_further(trace.trace_id, keep=keep)
                    crew.until(lambda: None if keep else True)
                return 0 if complete else 1
        except (Lost, TimeoutError) as lost:
            say("stopped", f"{lost}, so everything else was ended, too")
            account_for(folder)
            return 1
        except KeyboardInterrupt:
            say("stopped", "everything was ended")
            account_for(folder)
            return 130


@contextmanager
def model() -> Iterator[Mapping[str, str]]:
    """How the openai client finds its model: as the environment says, else a scripted one on loopback."""
    if os.environ.get("OPENAI_API_KEY") and os.environ.get("OPENAI_BASE_URL"):
        yield {}
        return
    with ScriptedModel(script) as scripted:
        yield {
            "OPENAI_API_KEY": scripted.api_key,
            "OPENAI_BASE_URL": scripted.base_url,
            "OPENAI_MODEL": scripted.model,
        }


def start_backends(crew: Crew, folder: Path) -> Mapping[str, Backend]:
    """Start each backend that is here, and say which."""
    say("SQLite", f"{database()}  spans and decisions")
    started: dict[str, Backend] = {}
    for name, start in ALL.items():
        try:
            started[name] = start(crew, folder, started)
            say(name, f"{started[name].address}  {started[name].takes}")
        except Absent as absent:
            say(name, f"not here; to have it: {absent}")
    return started


def ask(crew: Crew, variables: Mapping[str, str], backends: Mapping[str, Backend]) -> Stored:
    """Start the services, ask, and end them; what SQLite then holds of the one trace."""
    common = {"SPECSPAN_SCOPE_KEY": f"example:{secrets.token_hex(16)}", "OTEL_BSP_SCHEDULE_DELAY": "200", **variables}
    for backend in backends.values():
        common |= backend.variables

    def begin(service: str, file: str, *arguments: str) -> None:
        own = {name: value for backend in backends.values() for name, value in backend.own.get(service, {}).items()}
        pid = crew.service(service, [sys.executable, HERE / file, *arguments], common | own)
        say(service, f"process {pid}")

    begin("tools", "tool_service.py")
    common["SHOP_TOOLS"] = f"http://127.0.0.1:{crew.said('tools', START_S)}"
    begin("agent", "agent.py")
    begin("gateway", "gateway.py", QUESTION)
    trace_id = crew.said("gateway", START_S)
    say("trace", trace_id)
    say("asked", QUESTION)
    say("heard", crew.said("gateway"))
    now_s = time.time()
    for backend in backends.values():
        with suppress(TimeoutError):  # what it then holds is told with the others'
            crew.until(lambda seen=backend.seen: seen(now_s) or None, ARRIVE_S)  # type: ignore[misc]  # a lambda's default
    crew.stop(*SERVICES)
    with Reader(database()) as reader:
        return Stored(trace_id, reader.spans(trace_id), reader.decisions_of(trace_id))


def show(trace_id: str, backends: Mapping[str, Backend]) -> None:
    """Print the trace as `specspan traces show` does, with a link to its page where there is one."""
    pages = [backend.page for backend in backends.values() if "{trace_id}" in backend.page]
    variables = {**os.environ, **({"SPECSPAN_TRACE_URL": pages[0]} if pages else {})}
    specspan = Path(sys.executable).with_name("specspan")
    print(flush=True)
    subprocess.run([specspan, "traces", "show", trace_id, "--db", database()], env=variables, check=True)
    print()


def say_what_arrived(crew: Crew, backends: Mapping[str, Backend], trace: Stored) -> bool:
    """Say what each backend holds of the trace; whether that is all of it, everywhere."""
    complete = True
    for name, backend in backends.items():
        try:
            told = crew.until(lambda holds=backend.holds: holds(trace), ARRIVE_S)  # type: ignore[misc]  # as above
            say(name, f"{told}  {backend.page.format(trace_id=trace.trace_id, span_id='')}".rstrip())
        except TimeoutError:
            say(name, f"did not get all of it within {ARRIVE_S:g} s")
            complete = False
    return complete


def look_further(trace_id: str, *, keep: bool) -> None:
    """Say what else there is to see, and for how long."""
    db = f" --db {database()}"
    print(f"\nspecspan traces show {trace_id}{db}")
    print(f"specspan decisions list --verdict violated{db}")
    stay = "The backends stay until Ctrl-C." if keep else "To keep the backends up: make services ARGS=--keep"
    print(stay, flush=True)


def account_for(folder: Path) -> None:
    """Say which messages are not done, and where to see what was."""
    if (folder / "queue.db").exists():
        messages = MessageQueue(folder / "queue.db")
        for id_, destination, state in messages.unfinished():
            say("unfinished", f"message {id_} in {destination!r}: {state}")
        messages.close()
    if database().exists():
        say("SQLite", f"{database()}  holds what was recorded until then: specspan traces show --db {database()}")


def database() -> Path:
    """The one file of all services."""
    return Path(os.environ.get("SPECSPAN_DB") or "specspan.db").absolute()


def say(name: str, what: str) -> None:
    """One line."""
    print(f"{name:<13}{what}", flush=True)


def _interrupted(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
