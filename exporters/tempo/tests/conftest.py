"""A real Tempo under the configuration beside this folder, and a real application whose spans are in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from backends import free_port, program, served
from desk import Traffic, make_traffic
from tempo_server import Tempo

CONFIGURATION = Path(__file__).resolve().parents[1] / "tempo.yaml"


@pytest.fixture(scope="session")
def tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tempo]:
    """The server, its configuration changed in nothing but ports, folders and how soon a trace is searched for."""
    folder = tmp_path_factory.mktemp("tempo")
    api, internal, otlp, grpc = (free_port() for _ in range(4))
    configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    configuration["server"] |= {"http_listen_port": api, "grpc_listen_port": internal}
    protocols = configuration["distributor"]["receivers"]["otlp"]["protocols"]
    protocols["http"]["endpoint"] = protocols["http"]["endpoint"].replace("4318", str(otlp))
    protocols["grpc"]["endpoint"] = protocols["grpc"]["endpoint"].replace("4317", str(grpc))
    configuration["ingester"] |= {"trace_idle_period": "100ms", "flush_check_period": "100ms"}
    # What the application says it did long ago has only just arrived, where Tempo does not look for the past.
    configuration["query_frontend"] = {"search": {"query_ingesters_until": "3h"}}
    configuration["storage"]["trace"]["wal"]["ingestion_time_range_slack"] = "3h"
    written = folder / "tempo.yaml"
    written.write_text(yaml.safe_dump(configuration).replace("/var/tempo", str(folder)), encoding="utf-8")
    command: list[str | Path] = [program("tempo"), f"-config.file={written}", "-config.expand-env=true"]
    with served(command, f"http://127.0.0.1:{api}/ready", folder / "log"):
        yield Tempo(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{otlp}")


@pytest.fixture(scope="session")
def traffic(tempo: Tempo, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Traffic:
    """A process that makes decided calls under two versions of a spec, its spans and decisions in Tempo and SQLite."""
    service = f"desk-{worker_id}"
    everything = f'{{ resource.service.name = "{service}" }}'
    folder = tmp_path_factory.mktemp("traffic")
    return make_traffic(service, f"{tempo.otlp}/v1/traces", folder, lambda: tempo.search(everything))
