"""What the sender needs of the client, and the spool that it opens in the client's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inferometer.errors import ConfigError
from inferometer.sdk.stats import DropReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.sdk.envelopes import Packer
    from inferometer.sdk.items import Entry
    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.spool.folder import Spool
    from inferometer.sdk.transport import Transport


class Owner(Protocol):
    """What the sender needs of the client."""

    def judged(self, line: bytes) -> Entry:
        """Return an event that nobody has judged so far as it will be sent."""

    def new_transport(self) -> Transport:
        """Open a producer. Raises ConfigError."""

    def drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        """Count and tell an event that is lost."""

    def complain(self, subject: str, message: str) -> None:
        """Log, but not too often."""


def open_spool(
    settings: ClientSettings,
    owner: Owner,
    *,
    packer: Packer,
    producer: int,
    monotonic: Callable[[], float],
    now_ms: Callable[[], int],
) -> Spool | None:
    """Open the spool where the settings ask for one. Raises ConfigError."""
    if not settings.spool_dir:
        return None
    try:
        from inferometer.sdk.spool.folder import Spool
    except ImportError as error:
        raise ConfigError(
            ["spool_dir: this system has no file locks of the POSIX kind; leave it empty"]
        ) from error
    return Spool(
        settings,
        monotonic=monotonic,
        now_ms=now_ms,
        on_refused=lambda reason: owner.drop(DropReason.FAILED, reason, None),
        on_damaged=lambda reason: owner.complain(
            "damage", f"bytes of the spool cannot be read and were put aside: {reason}"
        ),
        packer=packer,
        producer=producer,
    )


def complain_of_disk(owner: Owner, settings: ClientSettings, error: OSError) -> None:
    """Say that the spool does not work."""
    owner.complain(
        "spool",
        f"the spool in {settings.spool_dir} does not work ({error}); events go to the broker "
        "without it, free the disk or choose another spool_dir",
    )


def complain_of_columns(owner: Owner, error: ImportError) -> None:
    """Say that columns of another process wait for pyarrow, to be marked as sent again."""
    owner.complain(
        "columns",
        f"the spool holds columns of another process, to be marked as sent again ({error}): pip "
        "install 'inferometer[sdk-arrow]'; they wait until then",
    )
