"""What a client asks, as a value: statement, data, settings, parameters, from address and body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.clickhouse.http_server.refusals import NOT_IMPLEMENTED, Refusal
from inferometer.clickhouse.http_server.statements import Statement, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_FORMAT = "TabSeparated"
PARAMETER_PREFIX = "param_"

_OURS = frozenset(
    {
        "query", "database", "default_format", "user", "password", "quota_key", "query_id",
        "session_id", "session_timeout", "session_check", "close_session", "stacktrace", "role",
        "buffer_size", "wait_end_of_query", "client_protocol_version",
        "compress", "decompress",
    }
)  # fmt: skip
"""Parameters of the interface; every other one is a setting."""

FALSE_WORDS = frozenset({"", "0", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """One statement to run, with all that it depends on."""

    statement: Statement
    data: memoryview
    """The data of an INSERT."""
    database: str = ""
    output_format: str = DEFAULT_FORMAT
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    waits_for_end: bool = False
    """Whether the answer may begin only once it is whole, so that an error has its status."""
    wants_compression: bool = False
    query_id: str = ""


def read_request(
    *, method: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> StoreRequest:
    """Put a request together. Raises Refusal for what this interface cannot do."""
    options: dict[str, str] = {}
    settings: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for name, value in query:
        if name in _OURS:
            options[name] = value
        elif name.startswith(PARAMETER_PREFIX):
            parameters[name.removeprefix(PARAMETER_PREFIX)] = value
        else:
            settings[name] = value
    _refuse_native_compression(options)
    if method in {"GET", "HEAD"}:
        settings.setdefault("readonly", "2")
    text = options.get("query", "").encode()
    whole = text + b"\n" + body if text else body
    statement = parse(whole)
    if statement.touches_files:
        raise Refusal.of_interface(
            NOT_IMPLEMENTED, "INTO OUTFILE and FROM INFILE belong to clickhouse-client"
        )
    default = headers.get("X-ClickHouse-Format") or options.get("default_format") or DEFAULT_FORMAT
    return StoreRequest(
        statement=statement,
        data=memoryview(whole)[statement.data_start :],
        database=headers.get("X-ClickHouse-Database") or options.get("database", ""),
        output_format=statement.format or default,
        settings=settings,
        parameters=parameters,
        waits_for_end=options.get("wait_end_of_query", "").lower() not in FALSE_WORDS,
        wants_compression=settings.get("enable_http_compression", "0").lower() not in FALSE_WORDS,
        query_id=options.get("query_id", ""),
    )


def _refuse_native_compression(options: Mapping[str, str]) -> None:
    for name in ("compress", "decompress"):
        if options.get(name, "0").lower() not in FALSE_WORDS:
            raise Refusal.of_interface(
                NOT_IMPLEMENTED,
                f"{name}=1 (blocks of the native protocol) is not served here; use Content-Encoding "
                "and Accept-Encoding",
            )
