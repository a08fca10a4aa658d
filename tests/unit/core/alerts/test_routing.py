"""Routes find receivers as Alertmanager's do."""

from __future__ import annotations

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.routing import Destination, Route, destinations

PAGES = Route(receiver="pager", matchers=(Matcher("severity", "page"),), group_wait_s=5)
TREE = Route(
    receiver="tickets",
    repeat_interval_s=60,
    routes=(
        PAGES,
        Route(receiver="log", matchers=(Matcher("team", "a"),), keep_going=True),
        Route(matchers=(Matcher("team", "a"),), group_by=("model",)),
    ),
)


def _names(labels: dict[str, str], extra: tuple[str, ...] = ()) -> list[str]:
    return [one.receiver for one in destinations(TREE, labels, extra)]


def test_what_no_branch_takes_goes_to_the_root() -> None:
    assert _names({"severity": "ticket"}) == ["tickets"]


def test_the_first_branch_that_matches_takes_it() -> None:
    assert _names({"severity": "page", "team": "a"}) == ["pager"]


def test_a_branch_that_keeps_going_lets_later_ones_take_it_too() -> None:
    assert _names({"team": "a"}) == ["log", "tickets"]


def test_a_branch_inherits_what_it_leaves_out() -> None:
    (pager,) = destinations(TREE, {"severity": "page"})
    assert (pager.group_wait_s, pager.repeat_interval_s) == (5, 60)
    assert pager.group_by == ("workspace", "service", "slo")


def test_a_receiver_that_a_definition_names_is_told_once() -> None:
    assert _names({"severity": "page"}, ("pager", "owner")) == ["pager", "owner"]


def test_a_tree_names_all_its_receivers() -> None:
    assert TREE.receivers() == {"pager", "log", "tickets"}


def test_three_dots_group_by_every_label() -> None:
    where = Destination(receiver="x", group_by=("...",))
    assert where.group_key({"b": "2", "a": "1"}) == (("a", "1"), ("b", "2"))


class _Nights:
    def is_active(self, name: str, now_s: int) -> bool:
        return name == "nights" and now_s < 100


def test_a_branch_is_quiet_in_its_mute_times_and_outside_its_active_times() -> None:
    muted = Destination(receiver="x", mute_times=("nights",))
    active = Destination(receiver="x", active_times=("nights",))
    assert muted.muted_by_time(_Nights(), 50)
    assert not muted.muted_by_time(_Nights(), 150)
    assert not active.muted_by_time(_Nights(), 50)
    assert active.muted_by_time(_Nights(), 150)
