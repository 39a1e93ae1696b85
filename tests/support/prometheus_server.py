"""A real Prometheus, and an application under watch that says what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from backends import fetch, free_port, program, served

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where one listens."""

    url: str

    def query(self, promql: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """The series that a query gives at a time, by default now."""
        return list(self._asked("query", query=promql, time=at_s or time.time())["result"])

    def course(self, promql: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """The series that a query gives over a time."""
        return list(self._asked("query_range", query=promql, start=start_s, end=end_s, step=step_s)["result"])

    def label_values(self, metric: str, label: str) -> list[str]:
        """The values of a label of a metric."""
        return list(self._asked(f"label/{label}/values", **{"match[]": metric}))

    def exemplars(self, promql: str, since_s: float) -> list[dict[str, Any]]:
        """The exemplars of series, by series."""
        return list(self._asked("query_exemplars", query=promql, start=since_s, end=time.time()))

    def _asked(self, what: str, **parameters: str | float) -> Any:
        return json.loads(fetch(f"{self.url}/api/v1/{what}?{urlencode(parameters)}"))["data"]


@contextmanager
def prometheus(
    folder: Path, configuration: Mapping[str, Any], *flags: str, port: int | None = None
) -> Iterator[Prometheus]:
    """Run one until the block ends; files that its configuration names are in the folder."""
    port = port or free_port()
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(dict(configuration)), encoding="utf-8")
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with served(command, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@contextmanager
def speaking(command: list[str | Path], **variables: str) -> Iterator[Said]:
    """A Python program that reads what to say; call what is given to tell it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "SPECSPAN_"))}
    environment = inherited | {"SPECSPAN_RAISE_INTERNAL_ERRORS": "1"} | variables
    with subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, text=True, env=environment) as process:
        stdin = process.stdin
        assert stdin is not None

        def say(text: str) -> None:
            stdin.write(text + "\n")
            stdin.flush()

        try:
            yield say
        finally:
            stdin.close()
            process.wait(10)
