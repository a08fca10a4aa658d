"""Clients at the end of their process and in its children: flushed at exit, begun anew after a fork."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from inferometer.sdk.transport import Transport


class Watched(Protocol):
    """What is asked of a client."""

    def close(self) -> int:
        """Flush, and give up what remains."""

    def restart_in_child(self) -> Transport | None:
        """Leave everything to the parent; return its producer, which nobody may free here."""


_CLIENTS: weakref.WeakSet[Watched] = weakref.WeakSet()
_LEFT_TO_PARENT: list[Transport] = []


def watch(client: Watched) -> None:
    """Close a client at the exit of its process, and restart it in forked children."""
    _CLIENTS.add(client)


def _close_all() -> None:
    for client in list(_CLIENTS):
        client.close()


def _restart_all_in_child() -> None:
    for client in list(_CLIENTS):
        # The producer's threads exist in the parent only, and freeing it here would wait for them.
        if (left := client.restart_in_child()) is not None:
            _LEFT_TO_PARENT.append(left)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all_in_child)
