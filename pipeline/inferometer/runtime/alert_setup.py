"""From files and settings to what alerting works with: objectives, receivers, jobs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.subjects import Definition
from inferometer.core.slo.count_records import target_of
from inferometer.core.slo.measure_lanes import (
    CostLane,
    MetricLane,
    counts_of_budget,
    counts_of_rule,
    is_everywhere,
    samples_of_rule,
)
from inferometer.core.slo.slo_lane import SloLane
from inferometer.core.slo.subject_definitions import definition_of_budget, definition_of_rule
from inferometer.errors import ConfigError
from inferometer.jobs.count_slos import CountPolicy
from inferometer.kafka.alert_topics import AlertTopicNames
from inferometer.runtime.mapping import worker_settings
from inferometer.slo_files import load_slo_files
from inferometer.slo_files.receiver_names import unknown_receivers
from inferometer.webhooks.receivers_file import ReceiversFile, load_receivers_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inferometer.config import Settings
    from inferometer.core.alerts.alert_state import AlertState
    from inferometer.core.slo.board import Lane
    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.counting import MeasureCount
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.slo_files import SloFiles

COUNT_WAIT_S = 0.5
EVALUATE_WAIT_S = 0.1
MEBIBYTE = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertSetup:
    """What is evaluated, and whom it is told."""

    declared: SloFiles
    receivers: ReceiversFile

    def definitions(self) -> list[Definition]:
        """Return what planning must know of everything that is evaluated."""
        return [
            *(Definition.of_slo(slo) for slo in self.declared.slos),
            *(definition_of_budget(budget) for budget in self.declared.budgets),
            *(definition_of_rule(rule) for rule in self.rules()),
        ]

    def rules(self) -> tuple[MetricRule, ...]:
        """Return the rules on metrics: those of the files, then the shipped ones they leave."""
        return (*self.declared.rules, *self.declared.shipped_rules)

    def measures(self) -> tuple[MeasureCount, ...]:
        """Return what budgets and rules on metrics need counted."""
        counts = (counts_of_rule(rule) for rule in self.rules())
        return (
            *(counts_of_budget(budget) for budget in self.declared.budgets),
            *(one for one in counts if one is not None),
        )

    def gauges(self) -> tuple[MeasureCount, ...]:
        """Return what rules need of the samples beside the signals."""
        counts = (samples_of_rule(rule) for rule in self.rules())
        return tuple(one for one in counts if one is not None)

    def lanes(self, partition: int, partition_count: int) -> Mapping[str, Lane]:
        """Return fresh lanes of what one partition of the counts evaluates."""
        made: list[tuple[Slo | MoneyBudget | MetricRule, Callable[[], Lane]]] = [
            *((slo, partial(SloLane, slo)) for slo in self.declared.slos),
            *((budget, partial(CostLane, budget)) for budget in self.declared.budgets),
            *((rule, partial(MetricLane, rule)) for rule in self.rules()),
        ]
        lanes = [
            make()
            for owner, make in made
            if target_of(owner.workspace, owner.service, partition_count) == partition
        ]
        own = {lane.name for lane in lanes}
        echoes = (MetricLane(rule, is_echo=True) for rule in self.rules() if is_everywhere(rule))
        lanes += [lane for lane in echoes if lane.name not in own]
        return {lane.name: lane for lane in lanes}

    def alerts(self, state: AlertState | None) -> Alerts:
        """Return the state machine of one partition."""
        return Alerts(
            self.definitions(),
            routes=self.receivers.route,
            inhibitions=self.receivers.inhibitions,
            policy=self.receivers.policy,
            traits=self.receivers.traits(),
            state=state,
        )


def load_setup(
    settings: Settings, environ: Mapping[str, str], *, needs_receivers: bool = True
) -> AlertSetup:
    """Read objectives and receivers; what is wrong with one objective stops no other.

    Raises ConfigError where nothing can be evaluated, or the receivers have problems: a message
    that goes to nobody is found out too late.
    """
    area = settings.alerts
    if area.slo_path is None:
        raise ConfigError(
            [
                "alerts.slo_path: no objectives; name a file or a folder (--slo), see `inferometer slo`"
            ]
        )
    declared = load_slo_files([area.slo_path])
    for finding in declared.problems:
        logger.error("%s", finding, extra={"reason": "slo_problem"})
    for finding in declared.cautions:
        logger.warning("%s", finding, extra={"reason": "slo_caution"})
    if not (declared.slos or declared.budgets or declared.rules):
        raise ConfigError([str(finding) for finding in declared.problems] or [
            f"{area.slo_path}: holds no objective; `inferometer slo check` says more"
        ])  # fmt: skip
    receivers = ReceiversFile()
    if area.receivers_file is not None:
        receivers = load_receivers_file(area.receivers_file, environ=environ)
        if receivers.problems:
            raise ConfigError(list(receivers.problems))
    elif needs_receivers:
        logger.warning(
            "no receivers are configured (alerts.receivers_file), so nobody is told",
            extra={"reason": "no_receivers"},
        )
    if receivers.receivers:
        for finding in unknown_receivers(declared, receivers.receivers):
            # Whom the routes name is told all the same.
            logger.error("%s", finding, extra={"reason": "unknown_receiver"})
    return AlertSetup(declared, _on_time(receivers, area.lateness_s))


def _on_time(receivers: ReceiversFile, lateness_s: float) -> ReceiversFile:
    """Return receivers whose policy knows that ticks wait so long: to it they are not late."""
    usual = receivers.policy
    policy = replace(usual, lateness_s=max(usual.lateness_s, math.ceil(lateness_s)))
    return replace(receivers, policy=policy)


def topic_names(settings: Settings) -> AlertTopicNames:
    """Return the names of the topics of alerting."""
    return AlertTopicNames.behind(settings.alerts.topic_prefix)


def member_settings(settings: Settings, topic: str, role: str) -> WorkerSettings:
    """Return how one role of alerting is a member of its own group."""
    worker = worker_settings(settings)
    group = f"{settings.alerts.group}-{role}"
    instance_id = settings.kafka.instance_id and f"{settings.kafka.instance_id}-{role}"
    wait_s = EVALUATE_WAIT_S if topic == topic_names(settings).counts else COUNT_WAIT_S
    return replace(
        worker,
        kafka=replace(worker.kafka, topic=topic, group=group, instance_id=instance_id),
        chunk_min_wait_s=wait_s,
        chunk_max_wait_s=wait_s,
        chunk_behind_wait_s=2.0,
        chunk_max_events=50_000,
        chunk_max_bytes=16 * MEBIBYTE,
        max_bytes_in_flight=64 * MEBIBYTE,
    )


def count_policy(settings: Settings) -> CountPolicy:
    """Return how counting judges time."""
    return CountPolicy(
        lateness=timedelta(seconds=settings.alerts.lateness_s),
        retention=timedelta(days=settings.store.requests_retention_days),
        future_tolerance=timedelta(seconds=settings.worker.future_tolerance_s),
    )


def settled(book: MuteBook) -> MuteBook:
    """Return a copy that no other thread changes while it is asked."""
    return MuteBook(book.entries())
