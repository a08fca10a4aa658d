"""How long an insert may stay without an answer before it is tried again.

A store that hangs must not hold a worker for minutes, and one that is merely slow must not be met
with retries that it never gets to the end of: so the patience doubles with every silence, and an
answer takes it back to the beginning.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import Timeout
from urllib3.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

FIRST_S = 30.0
LONGEST_S = 300.0


class Patience:
    """The patience of one connection; threads share it, because they share the store."""

    def __init__(self, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.seconds = first_s

    @contextmanager
    def on(self, client: Client) -> Iterator[None]:
        """Let one call of a client wait this long for its answer; in process nothing can hang."""
        if not isinstance(client, HttpClient):
            yield
            return
        before = client.timeout
        client.timeout = Timeout(connect=before.connect_timeout, read=self.seconds)
        try:
            yield
        except Exception as error:
            if isinstance(error.__cause__, ReadTimeoutError):
                self.seconds = min(self.seconds * 2, self._longest_s)
            raise
        else:
            self.seconds = self._first_s
        finally:
            client.timeout = before
