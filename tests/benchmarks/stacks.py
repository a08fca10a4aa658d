"""Sampled stacks in words: which group of work a sample belongs to, and whose library it was in."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("serialise for the store", ("_to_arrow_stream", "pyarrow/ipc")),
    ("insert: send, wait, parse answers", ("clickhouse_connect/", "urllib3/", "inferometer/clickhouse/")),
    ("unpack record batches", (
        "core/record_batches", "core/batch_", "core/crc32c", "cramjam", "kafka/fetched",
        "kafka/batch_fetch",
    )),
    ("deduplicate", ("core/duplicates", "jobs/seen_events")),
    ("price", ("core/pric", "core/money")),
    ("aggregate", (
        "core/rollups", "core/group_", "core/sketches", "core/gap_kernel", "core/dimension_",
        "core/cubes", "core/bins",
    )),
    ("log rows", ("core/log_rows",)),
    ("decode and judge", (
        "core/decoder", "core/admission", "core/event_", "core/number_", "core/text_",
        "core/gather_", "core/judge", "core/door", "core/records", "core/columns", "core/line_",
        "core/arrow_", "core/ipc_", "core/nested_", "core/admitted_rows", "core/envelopes",
    )),
    ("commit and account", ("kafka/commits", "kafka/committer", "core/state_rows", "core/chunks")),
    ("job, between the steps", ("jobs/process_chunk", "prometheus/")),
    ("fetch: protocol and sockets", ("aiokafka/", "kafka/")),
    ("engine: event loop, Faust", ("asyncio/", "selectors", "faust/", "mode/", "threading")),
)  # fmt: skip
"""(group, fragments of frames), looked for from the innermost frame outwards; the order decides
where one frame has several."""
OTHER = "everything else"
WAITING = ("selectors.py", "threading.py", "queue.py")
"""Where a thread that does nothing stands; a sampler may take it for one that runs."""
_LINE = re.compile(r"^(?P<stack>.+) (?P<count>\d+)$")
_THREAD = re.compile(r"^thread \([^)]*\): ?|^process \d+:?")
_PREFIX = re.compile(r"(?<![\w.])/[^\s:;()]*/(?=site-packages/|pipeline/|tests/|lib/python)")


@dataclass(frozen=True, slots=True)
class Stack:
    """One folded stack."""

    thread: str
    frames: tuple[str, ...]
    """From the outermost to the innermost."""
    samples: int


def read_folded(text: str) -> list[Stack]:
    """Return the stacks of a folded file: `thread;frame;frame count` a line."""
    found = []
    for line in text.splitlines():
        matched = _LINE.match(line)
        if matched is None:
            continue
        frames = matched["stack"].split(";")
        thread = "main"
        while frames and _THREAD.match(frames[0]):
            thread = _THREAD.sub("", frames.pop(0)) or thread
        found.append(Stack(thread.strip('" '), tuple(frames), int(matched["count"])))
    return found


def is_waiting(stack: Stack) -> bool:
    """Say whether a sample was taken of a thread that waited."""
    return bool(stack.frames) and any(name in stack.frames[-1] for name in WAITING)


def group_of(stack: Stack) -> str:
    """Return the group of the innermost frame that belongs to one."""
    for frame in reversed(stack.frames):
        for group, fragments in GROUPS:
            if any(fragment in frame for fragment in fragments):
                return group
    return OTHER


def by_group(stacks: Iterable[Stack]) -> Counter[str]:
    """Return the samples of each group."""
    found: Counter[str] = Counter()
    for stack in stacks:
        found[group_of(stack)] += stack.samples
    return found


def by_thread(stacks: Iterable[Stack]) -> Counter[str]:
    """Return the samples of each thread; threads of a pool are one."""
    found: Counter[str] = Counter()
    for stack in stacks:
        found[re.sub(r"[-_ ]?\d+(_\d+)?$", "", stack.thread)] += stack.samples
    return found


def innermost(stacks: Iterable[Stack], count: int) -> list[tuple[str, int]]:
    """Return the frames in which most samples were taken."""
    found: Counter[str] = Counter()
    for stack in stacks:
        if stack.frames:
            found[re.sub(r":\d+\)$", ")", stack.frames[-1])] += stack.samples
    return found.most_common(count)


def without_machine(text: str) -> str:
    """Return folded stacks or a picture of them without the folders of this machine."""
    return _PREFIX.sub("", text)
