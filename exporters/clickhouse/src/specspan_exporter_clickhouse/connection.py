"""Connection to a database over HTTP, by the client that ClickHouse maintains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from specspan_exporter_clickhouse.address import Address
from specspan_exporter_clickhouse.errors import translate_error

_CONNECT_S, _READ_S = 5, 300
_SETTINGS = {
    "do_not_merge_across_partitions_select_final": 1,  # a decision lies in one partition, that of its time
    "use_skip_indexes_if_final": 1,
    "join_use_nulls": 0,
}
Values = Mapping[str, Any]


@final
class Connection:
    """Connection of one thread. Values are bound by the server, by name and type: ``{name:String}``."""

    def __init__(self, address: Address) -> None:
        """Open it.

        Raises:
            ClickHouseStoreError: the server cannot be reached, or refuses user or database.
        """
        self.address = address
        self.name = address.name
        with self._translated_errors():
            self._client = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user or "default",
                password=address.password,
                database=address.database,
                secure=address.is_secure,
                interface="https" if address.is_secure else "http",
                connect_timeout=_CONNECT_S,
                send_receive_timeout=_READ_S,
                query_retries=0,
                autogenerate_session_id=False,
                settings=dict(_SETTINGS),
            )

    def close(self) -> None:
        """Give its sockets back."""
        self._client.close()

    def rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self._translated_errors():
            found = self._client.query(sql, parameters=dict(values or {}))
            return [tuple(row) for row in found.result_rows]

    def stream(self, sql: str, values: Values | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query as they come."""
        with self._translated_errors():
            with self._client.query_row_block_stream(sql, parameters=dict(values or {})) as blocks:
                for block in blocks:
                    for row in block:
                        yield tuple(row)

    def run(self, sql: str, values: Values | None = None) -> None:
        """Run a statement that returns nothing."""
        with self._translated_errors():
            self._client.command(sql, parameters=dict(values or {}))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (ClickHouseError, OSError) as error:
            raise translate_error(self.name, error) from None  # the address is in its frames
