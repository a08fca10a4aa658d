"""Alerts as Alertmanager's API lists them: filters, groups, and what keeps their notices back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.instant_texts import instant_text
from inferometer.core.alerts.matchers import all_match
from inferometer.core.alerts.mute_book import MAINTENANCE, mute_labels

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.alerts.mute_book import MuteBook

GROUP_BY = ("workspace", "service", "slo")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlert:
    """One incident that is open, or resolved a moment ago."""

    fingerprint: str
    labels: Mapping[str, str]
    """Those that matchers are asked about, `severity` among them."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    receivers: tuple[str, ...] = ()
    starts_at_us: int
    updated_at_us: int
    ends_at_us: int
    """When it resolved; while it fires, the end of what is known."""
    inhibited_by: tuple[str, ...] = ()
    """Fingerprints of the alerts that mute it."""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """What a client wants to see."""

    matchers: tuple[Matcher, ...] = ()
    receiver: re.Pattern[str] | None = None
    """Must match a receiver's whole name."""
    active: bool = True
    silenced: bool = True
    inhibited: bool = True


@dataclass(frozen=True, slots=True)
class _Seen:
    alert: ListedAlert
    labels: Mapping[str, str]
    silenced_by: tuple[str, ...]
    muted_by: tuple[str, ...]

    @property
    def is_suppressed(self) -> bool:
        return bool(self.silenced_by or self.muted_by or self.alert.inhibited_by)


def alerts_answer(
    alerts: Iterable[ListedAlert], book: MuteBook, query: AlertQuery, now_s: int
) -> list[dict[str, Any]]:
    """Return the alerts that a query selects, as `GET /api/v2/alerts` answers them."""
    return [_as_dict(seen) for seen in _selected(alerts, book, query, now_s)]


def groups_answer(
    alerts: Iterable[ListedAlert],
    book: MuteBook,
    query: AlertQuery,
    now_s: int,
    group_by: Sequence[str] = GROUP_BY,
) -> list[dict[str, Any]]:
    """Return them by receiver and group, as `GET /api/v2/alerts/groups` answers them."""
    groups: dict[tuple[tuple[tuple[str, str], ...], str], list[_Seen]] = {}
    for seen in _selected(alerts, book, query, now_s):
        labels = tuple((name, seen.labels[name]) for name in group_by if name in seen.labels)
        for receiver in seen.alert.receivers:
            if query.receiver is None or query.receiver.fullmatch(receiver):
                groups.setdefault((labels, receiver), []).append(seen)
    return [
        {
            "labels": dict(labels),
            "receiver": {"name": receiver},
            "alerts": [_as_dict(seen) for seen in members],
        }
        for (labels, receiver), members in sorted(groups.items(), key=lambda item: item[0])
    ]


def _selected(
    alerts: Iterable[ListedAlert], book: MuteBook, query: AlertQuery, now_s: int
) -> list[_Seen]:
    found = [_seen(alert, book, now_s) for alert in alerts]
    return sorted(
        (seen for seen in found if _is_wanted(seen, query)),
        key=lambda seen: seen.alert.fingerprint,
    )


def _seen(alert: ListedAlert, book: MuteBook, now_s: int) -> _Seen:
    labels = mute_labels(alert.labels)
    muted = book.muted_by(labels, now_s)
    windows = tuple(name for name in muted if name.startswith(MAINTENANCE))
    return _Seen(alert, labels, book.silenced_by(labels, now_s), windows)


def _is_wanted(seen: _Seen, query: AlertQuery) -> bool:
    if not query.active and not seen.is_suppressed:
        return False
    # A maintenance window is a silence to whoever asks.
    if not query.silenced and (seen.silenced_by or seen.muted_by):
        return False
    if not query.inhibited and seen.alert.inhibited_by:
        return False
    if query.receiver is not None and not any(
        query.receiver.fullmatch(name) for name in seen.alert.receivers
    ):
        return False
    return all_match(query.matchers, seen.labels)


def _as_dict(seen: _Seen) -> dict[str, Any]:
    alert = seen.alert
    said = {
        "annotations": dict(alert.annotations),
        "endsAt": instant_text(alert.ends_at_us),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in alert.receivers],
        "startsAt": instant_text(alert.starts_at_us),
        "status": {
            "inhibitedBy": list(alert.inhibited_by),
            "mutedBy": list(seen.muted_by),
            "silencedBy": list(seen.silenced_by),
            "state": "suppressed" if seen.is_suppressed else "active",
        },
        "updatedAt": instant_text(alert.updated_at_us),
        "labels": dict(seen.labels),
    }
    return {**said, "generatorURL": alert.link} if alert.link else said
