"""`inferometer token`: who may use the query API and the console."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, UsageError, add_subcommand
from inferometer.cli.text_table import text_table

if TYPE_CHECKING:
    from inferometer.cli.command import Context
    from inferometer.web.identity.desks import IssuedToken, TokenFacts
    from inferometer.web.identity.token_book import TokenBook

SUMMARY = "make, list, rotate and revoke tokens of the query API and the console"
QUIET_LOG_LEVEL = "warning"
EXAMPLE = """
inferometer token create grafana --workspace acme --tokens tokens.json
inferometer token create ann --role admin --for 90d --tokens tokens.json
inferometer token list --tokens tokens.json
"""

ROLES = ("viewer", "operator", "admin")
DEFAULT_FILE = "tokens.json"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = add_subcommand(
        actions,
        "list",
        summary="show the tokens, without their secrets",
        example="inferometer token list --tokens tokens.json --json",
    )
    revoke = add_subcommand(
        actions,
        "revoke",
        summary="end a token and its sessions",
        example="inferometer token revoke 3f9a1c0b7d25 --tokens tokens.json",
    )
    revoke.add_argument("id", help="id of the token, see `inferometer token list`")
    for action in (_add_create(actions), listing, _add_rotate(actions), revoke):
        action.add_argument(
            "--tokens",
            metavar="FILE",
            type=Path,
            help="file of hashed tokens; default: setting web.tokens_file",
        )
        action.add_argument("--json", action="store_true", help="JSON, for machines")


def _add_create(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    create = add_subcommand(
        actions,
        "create",
        summary="make a token and print it, once",
        example="inferometer token create ann --role operator --for 90d --tokens tokens.json",
    )
    create.add_argument("name", help="who uses it, such as grafana; shown in lists and logs")
    create.add_argument(
        "--role",
        choices=ROLES,
        default=ROLES[0],
        help="viewer looks, operator also silences, admin also makes tokens; default viewer",
    )
    create.add_argument(
        "--workspace", metavar="W", help="the only workspace that it sees; default: all"
    )
    create.add_argument(
        "--for",
        dest="lifetime",
        type=_span,
        metavar="90d",
        help="how long it is good: minutes, hours or days; default: until it is revoked",
    )
    return create


def _add_rotate(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    rotate = add_subcommand(
        actions,
        "rotate",
        summary="give a token a new secret and print it, once",
        example="inferometer token rotate 3f9a1c0b7d25 --keep-old 1h --tokens tokens.json",
    )
    rotate.add_argument("id", help="id of the token, see `inferometer token list`")
    rotate.add_argument(
        "--keep-old",
        type=_span,
        default=timedelta(0),
        metavar="1h",
        help="how long the old secret stays good, 7d at most; default: it ends now",
    )
    return rotate


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do one action; a running server takes it up at the next request."""
    from inferometer.web.identity.desks import TokenRefusedError, TokenUnknownError

    book = _book(arguments, context)
    act = {"create": _create, "list": _list, "rotate": _rotate, "revoke": _revoke}
    try:
        act[arguments.action](book, arguments, context)
    except TokenRefusedError as error:
        raise UsageError(str(error)) from error
    except TokenUnknownError as error:
        print(f"inferometer: {error}", file=context.stderr)
        return PROBLEMS
    return OK


def _book(arguments: argparse.Namespace, context: Context) -> TokenBook:
    from inferometer.runtime.clock import now
    from inferometer.web.identity.token_book import TokenBook
    from inferometer.web.identity.tokens_file import TokensFile

    path = context.settings({"web.tokens_file": arguments.tokens}).web.tokens_file
    if path is None:
        raise UsageError(
            f"which file? give --tokens {DEFAULT_FILE}, or the setting web.tokens_file"
        )
    return TokenBook(TokensFile(path), now)


def _create(book: TokenBook, arguments: argparse.Namespace, context: Context) -> None:
    from inferometer.runtime.clock import now
    from inferometer.web.identity.roles import Role

    lifetime = arguments.lifetime
    issued = book.create(
        name=arguments.name,
        role=Role(arguments.role),
        workspace=arguments.workspace,
        expires_at=None if lifetime is None else now() + lifetime,
    )
    _print_issued(issued, arguments, context)


def _rotate(book: TokenBook, arguments: argparse.Namespace, context: Context) -> None:
    _print_issued(book.rotate(arguments.id, old_for=arguments.keep_old), arguments, context)


def _revoke(book: TokenBook, arguments: argparse.Namespace, context: Context) -> None:
    book.revoke(arguments.id)
    print(f"token {arguments.id} and its sessions have ended", file=context.stderr)


def _list(book: TokenBook, arguments: argparse.Namespace, context: Context) -> None:
    found = book.tokens()
    if arguments.json:
        print(_json({"tokens": [_fields(facts) for facts in found]}), file=context.stdout)
        return
    heads = ("ID", "NAME", "ROLE", "WORKSPACE", "MADE", "EXPIRES")
    print(text_table([heads, *(_cells(facts) for facts in found)]), file=context.stdout)


def _print_issued(issued: IssuedToken, arguments: argparse.Namespace, context: Context) -> None:
    if arguments.json:
        print(_json({**_fields(issued.facts), "text": issued.text}), file=context.stdout)
        return
    facts = issued.facts
    scope = "all workspaces" if facts.workspace is None else f"workspace {facts.workspace}"
    ends = "until it is revoked" if facts.expires_at is None else f"until {facts.expires_at:%F %R}Z"
    print(
        f"token {facts.id} of {facts.name}: {facts.role}, {scope}, {ends}; it is shown this once",
        file=context.stderr,
    )
    print(issued.text, file=context.stdout)


def _fields(facts: TokenFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "name": facts.name,
        "role": str(facts.role),
        "workspace": facts.workspace,
        "created_at": facts.created_at,
        "expires_at": facts.expires_at,
    }


def _cells(facts: TokenFacts) -> tuple[str, ...]:
    return (
        facts.id,
        facts.name,
        str(facts.role),
        facts.workspace or "(all)",
        f"{facts.created_at:%F}",
        "-" if facts.expires_at is None else f"{facts.expires_at:%F %R}Z",
    )


def _json(found: Any) -> str:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def _span(text: str) -> timedelta:
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit()) or not 0 < int(number) < 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no span such as 30m, 12h or 90d")
    return timedelta(**{unit: int(number)})
