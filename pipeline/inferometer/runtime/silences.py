"""Asks the alerts' HTTP interface for silences and maintenance windows, on behalf of commands."""

from __future__ import annotations

import http.client
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
import yaml

from inferometer.core.alerts.interval_texts import interval_from
from inferometer.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from inferometer.config.areas import AlertsConfig

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
NOT_FOUND = 404
_OK = 200


class InterfaceError(PipelineError):
    """The alerts' HTTP interface cannot be reached, or refused; `status` is 0 for the former."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class SilenceClient:
    """Speaks to one interface; follows no redirect, uses no proxy, so the token stays with it."""

    def __init__(self, url: str, *, token: str = "") -> None:
        """Take `http(s)://host:port`, with a path in front of a proxy. Raises ConfigError."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ConfigError([f"url: {parts.hostname or url!r} must be http(s)://host:port"])
        self._parts = parts
        self._token = token

    def silences(self, filters: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the silences whose matchers meet every filter. Raises InterfaceError."""
        query = urlencode([("filter", text) for text in filters])
        return list(self._ask("GET", f"/api/v2/silences?{query}"))

    def windows(self) -> list[dict[str, Any]]:
        """Return the maintenance windows. Raises InterfaceError."""
        return list(self._ask("GET", "/maintenance"))

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence and return its id. Raises InterfaceError."""
        return str(self._ask("POST", "/api/v2/silences", silence)["silenceID"])

    def add_window(self, window: Mapping[str, Any]) -> str:
        """Make a maintenance window and return its id. Raises InterfaceError."""
        # An id of our own, so that a second try after a lost answer makes no second window.
        wanted = {"id": str(uuid.uuid4()), **window}
        return str(self._ask("POST", "/maintenance", wanted)["id"])

    def accept(self, level: Mapping[str, Any]) -> dict[str, Any]:
        """Have bands take a level as normal; return it as stored. Raises InterfaceError."""
        wanted = {"id": str(uuid.uuid4()), **level}
        return dict(self._ask("POST", "/acceptances", wanted))

    def expire(self, entry_id: str) -> str:
        """End a silence or a maintenance window now and say which it was. Raises InterfaceError."""
        try:
            self._ask("DELETE", f"/api/v2/silence/{quote(entry_id, safe='')}")
        except InterfaceError as error:
            if error.status != NOT_FOUND:
                raise
        else:
            return "silence"
        try:
            self._ask("DELETE", f"/maintenance/{quote(entry_id, safe='')}")
        except InterfaceError as error:
            if error.status != NOT_FOUND:
                raise
            raise InterfaceError(
                f"no silence or maintenance window {entry_id}; `inferometer silence list` shows "
                "their ids",
                status=NOT_FOUND,
            ) from error
        return "maintenance"

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        status, answer = self._exchange(method, path, body)
        if status != _OK:
            raise InterfaceError(self._refusal(status, answer), status=status)
        try:
            return orjson.loads(answer) if answer else None
        except orjson.JSONDecodeError as error:
            raise InterfaceError(f"{self._address} answers no JSON; is it ours?") from error

    def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, bytes]:
        parts = self._parts
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection = kind(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
        except (ValueError, http.client.InvalidURL) as error:
            raise ConfigError([f"url: {self._address}: {error}"]) from error
        try:
            connection.request(
                method,
                parts.path.rstrip("/") + path,
                body=None if body is None else orjson.dumps(body),
                headers=headers,
            )
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise InterfaceError(
                f"{self._address} cannot be reached ({error}); does `inferometer alerts` run there?"
            ) from error
        finally:
            connection.close()

    @property
    def _address(self) -> str:
        return f"{self._parts.scheme}://{self._parts.netloc}"

    def _refusal(self, status: int, answer: bytes) -> str:
        try:
            said = orjson.loads(answer)
        except orjson.JSONDecodeError:
            said = answer.decode("utf-8", "replace")
        hint = (
            "; give the token by the setting alerts.http_token or by --token-file"
            if status == 401
            else ""
        )
        return f"{self._address} refuses ({status}): {said}{hint}"


def schedule_of(path: Path) -> list[dict[str, Any]]:
    """Return the time intervals that a YAML or JSON file holds. Raises ConfigError."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([f"{path} cannot be read: {error}"]) from error
    found = raw.get("time_intervals", raw) if isinstance(raw, dict) else raw
    intervals = [found] if isinstance(found, dict) else found
    if not isinstance(intervals, list) or not all(isinstance(each, dict) for each in intervals):
        raise ConfigError([f"{path} must hold a list of time intervals, as Alertmanager has them"])
    problems = [problem for each in intervals for problem in interval_from(each)[1]]
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return intervals


def interface_url(alerts: AlertsConfig) -> str:
    """Return where the interface of these settings is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(alerts.http_host, alerts.http_host)  # noqa: S104
    return f"http://{f'[{host}]' if host.count(':') > 1 and '[' not in host else host}:{alerts.http_port}"
