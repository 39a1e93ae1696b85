"""Load on the console: ``python -m benchmarks.console_load`` prints how long each page takes while many people look.

A store of a million decided calls is filled as `benchmarks.large_store` does, or named with ``--db``, and served by
`specspan console` in a process of its own, behind a trusted proxy's headers: to 50 readers, who open one page after
another with a second in between, and to 5 reviewers, who rule on tasks. Printed are, for each page, how often it was
opened, and the 50th and 95th percentile of the time until it had arrived; beside it, the time of each page asked for
alone.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.large_store import fill
from specspan.review.review_queue import ReviewQueue
from specspan.sqlite import Filter, Reader
from specspan.stores.people import Person, Role

_PAUSE_S = 1.0
_TASKS = 2_000
_ALONE = 5
Times = defaultdict[str, list[float]]


def pages(path: Path) -> Mapping[str, Sequence[str]]:
    """Return the addresses of each kind of page."""
    with Reader(path) as reader:
        violated = reader.decisions(Filter(outcome="violated", limit=20))
        newest = reader.traces(Filter(limit=20))
        middle = time.time_ns() - 15 * 86_400 * 10**9
        early = reader.traces(Filter(limit=5, until_unix_nano=middle))
    return {
        "overview": ["/", "/?range=7d", "/?range=30d", "/?range=all"],
        "traces": ["/traces", "/traces?service=search", "/traces?since=3d"],
        "traces, a later page": [f"/traces?after={row.start_unix_nano}-{row.trace_id}" for row in early],
        "traces by verdict": ["/traces?verdict=violated", "/traces?verdict=complied"],
        "traces by clause": ["/traces?clause=clause_0&outcome=violated", "/traces?clause=clause_50&outcome=complied"],
        "traces by id": [f"/traces?id={row.trace_id[:16]}" for row in newest],
        "a trace": [f"/traces/{row.trace_id}" for row in newest],
        "a violated call": [f"/decisions/{record['id']}" for record in violated],
        "spec": ["/spec", "/spec?range=24h"],
        "policy": ["/policy"],
        "reviews": ["/reviews", "/reviews?state=open"],
    }


def open_tasks(path: Path, number: int) -> None:
    """Open tasks about violated calls, for reviewers to rule on."""
    queue, by = ReviewQueue(str(path)), Person("ada", Role.REVIEWER)
    with Reader(path) as reader:
        violated = reader.decisions(Filter(outcome="violated", limit=number))
    for record in violated:
        clause = next(each["clause"] for each in record["findings"] if each["outcome"] == "violated")
        queue.open(record["id"], clause, by=by)
    queue.close()


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Run the console on a store; yield its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("specspan")
    access = ["--trusted-proxy", "127.0.0.1", "--role", "reviewer=raters", "--default-role", "viewer"]
    command = [str(program), "console", "--db", str(path), "--port", str(port), "--public-url", origin, *access]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("the console did not start")
        yield origin
    finally:
        process.terminate()
        process.wait(20)


async def get(client: httpx.AsyncClient, path: str) -> tuple[float, httpx.Response]:
    """Open a page as a browser does, redirects followed; return the seconds until it had arrived."""
    start_s = time.perf_counter()
    response = await client.get(path)
    taken_s = time.perf_counter() - start_s
    if response.status_code != 200:
        raise RuntimeError(f"{path} was answered with {response.status_code}: {response.text[:300]}")
    return taken_s, response


async def ask_alone(origin: str, kinds: Mapping[str, Sequence[str]]) -> Times:
    """Open each page while nobody else looks, after one that fills caches as any visitor does."""
    times: Times = defaultdict(list)
    async with person(origin, "alone", "readers") as client:
        for kind, paths in kinds.items():
            await get(client, paths[0])
            for number in range(_ALONE):
                times[kind].append((await get(client, paths[number % len(paths)]))[0])
    return times


async def look(origin: str, number: int, kinds: Mapping[str, Sequence[str]], times: Times, end_s: float) -> None:
    """Open one page after another, until the time is over."""
    chance = random.Random(number)
    async with person(origin, f"reader-{number}", "readers") as client:
        await asyncio.sleep(chance.random() * _PAUSE_S)
        while time.perf_counter() < end_s:
            kind = chance.choice(list(kinds))
            times[kind].append((await get(client, chance.choice(kinds[kind])))[0])
            await asyncio.sleep(_PAUSE_S)


async def review(origin: str, number: int, times: Times, end_s: float) -> int:
    """Rule on one task after another, until the time is over; return the number of rulings."""
    ruled = 0
    async with person(origin, f"reviewer-{number}", "raters") as client:
        page = (await get(client, "/reviews"))[1]
        path = re.search(r'id="begin" href="([^"]+)"', page.text)
        address = path[1] if path else "/reviews"
        while time.perf_counter() < end_s and address != "/reviews":
            taken_s, page = await get(client, address)
            times["a review"].append(taken_s)
            hidden = dict(re.findall(r'name="(form_token|ruling_id)" value="([^"]+)"', page.text))
            following = re.search(r'id="following" href="([^"]+)"', page.text)
            if hidden:
                fields = {**hidden, "kind": "confirm", "reason": "load"}
                start_s = time.perf_counter()
                answer = await client.post(f"{address.partition('?')[0]}/rule", data=fields)
                times["a ruling, and the next review"].append(time.perf_counter() - start_s)
                ruled += answer.status_code == 200
                others = following[1] if following else "/reviews"  # where somebody ruled first
                address = answer.url.path if answer.status_code == 200 else others
            elif following:
                address = following[1]
            await asyncio.sleep(_PAUSE_S)
    return ruled


def person(origin: str, name: str, group: str) -> httpx.AsyncClient:
    """Return a browser of somebody whom the proxy names."""
    headers = {"x-forwarded-user": name, "x-forwarded-groups": group}
    return httpx.AsyncClient(base_url=origin, headers=headers, follow_redirects=True, timeout=60)


async def load(
    origin: str, kinds: Mapping[str, Sequence[str]], readers: int, reviewers: int, seconds: float
) -> tuple[Times, int]:
    """Have people look for a while; return the times of pages, and the number of rulings."""
    times: Times = defaultdict(list)
    end_s = time.perf_counter() + seconds
    looking = (look(origin, number, kinds, times, end_s) for number in range(readers))
    ruled = await asyncio.gather(*(review(origin, number, times, end_s) for number in range(reviewers)), *looking)
    return times, sum(number or 0 for number in ruled)


def percentile(times: Sequence[float], share: float) -> float:
    """Return a percentile of times, in milliseconds."""
    ordered = sorted(times)
    return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a store where none is named, and put load on its console."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", type=Path, help="a large store, to which reviews are added")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--reviewers", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        path = options.db or Path(place) / "specspan.db"
        if options.db is None:
            fill(path, options.decisions, 100, Path(place))
        open_tasks(path, _TASKS)
        kinds = pages(path)
        with served(path) as origin:
            alone = asyncio.run(ask_alone(origin, kinds))
            times, ruled = asyncio.run(load(origin, kinds, options.readers, options.reviewers, options.seconds))
    opened = sum(map(len, times.values()))
    people = f"{options.readers} readers and {options.reviewers} reviewers"
    print(f"{people}, {options.seconds:.0f} s: {opened} pages, {ruled} rulings")
    print(f"{'page':32} {'alone p50':>10} {'opened':>8} {'p50':>8} {'p95':>8}  ms")
    for kind, taken in times.items():
        by_itself = f"{1e3 * statistics.median(alone[kind]):10.0f}" if kind in alone else " " * 10
        print(f"{kind:32} {by_itself} {len(taken):8} {percentile(taken, 0.5):8.0f} {percentile(taken, 0.95):8.0f}")


if __name__ == "__main__":
    main()
