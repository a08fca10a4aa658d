"""One run of the harness: faults by the timetable, drain, and the verdict of the oracle."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.faults.effects import Effects, observe
from tests.faults.injection import Injection
from tests.faults.scene import PARTITIONS, TOPIC, Plan, Scene
from tests.faults.sent import Sent, sent_by
from tests.faults.services import run_command
from tests.faults.topic import TopicContent, read_topic
from tests.faults.verify import Verdict, open_store, verify

AUDIT_TIMEOUT_S = 900.0


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    plan: Plan
    verdicts: list[Verdict]
    injected: Counter[str]
    effects: Effects
    sent: dict[str, int]
    seconds: dict[str, float]
    problems: list[str]
    audit: dict[str, Any]

    @property
    def lost(self) -> int:
        """Events that tables lack, summed over the tables."""
        return sum(verdict.lost for verdict in self.verdicts)

    @property
    def doubled(self) -> int:
        """Events that tables have more than once, summed over the tables."""
        return sum(verdict.doubled for verdict in self.verdicts)

    @property
    def is_exact(self) -> bool:
        """Whether every table is as the oracle says, and the audit as well."""
        is_audited = bool(self.audit.get("ok"))
        return is_audited and not self.problems and all(each.is_exact for each in self.verdicts)


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Run the harness once. The folder keeps every log and trace."""
    seconds: dict[str, float] = {}
    mark_s = time.monotonic()

    def lap(name: str) -> None:
        nonlocal mark_s
        seconds[name] = round(time.monotonic() - mark_s, 1)
        mark_s = time.monotonic()

    scene = Scene(plan, folder, say)
    with contextlib.closing(scene):
        workers = scene.start()
        lap("start")
        injection = Injection(scene, workers)
        injection.run()
        lap("faults")
        scene.drain()
        lap("drain")
        content = read_topic(scene.broker.bootstrap_servers, TOPIC, PARTITIONS)
        sent = sent_by(
            ((each.plan.number, each.plan.folder) for each in scene.producers), plan.seed
        )
        with contextlib.closing(open_store(scene.store.port)) as client:
            verdicts = verify(client, sent, content)
        lap("verify")
        audit = _audit(scene)
        lap("audit")
    return Outcome(
        plan=plan,
        verdicts=verdicts,
        injected=scene.injected,
        effects=replace(
            observe(workers.lives, scene.proxy.done, injection.disturbed_s),
            blocks_deduplicated=sum(scene.deduplicated.values()),
        ),
        sent=_counts(sent, content),
        seconds=seconds,
        problems=scene.problems,
        audit=audit,
    )


def _counts(sent: Sent, content: TopicContent) -> dict[str, int]:
    return {
        "events": len(sent.columns),
        "records": content.records,
        "envelopes": content.envelopes,
        "repeats": len(content.numbers) - len(sent.columns),
        "poison": len(content.poison),
        "late": sent.late,
    }


def _audit(scene: Scene) -> dict[str, Any]:
    """Ask the product's own audit."""
    command = ("audit", "--kafka", scene.broker.bootstrap_servers, "--store", scene.store.url)
    try:
        found: dict[str, Any] = json.loads(
            run_command(*command, "--json", timeout_s=AUDIT_TIMEOUT_S)
        )
    except (RuntimeError, json.JSONDecodeError) as error:
        return {"error": str(error)[:500]}
    return found
