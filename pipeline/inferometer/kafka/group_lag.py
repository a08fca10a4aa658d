"""How far a consumer group is behind the end of its topic, asked from outside the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.kafka.group_offsets import committed_offsets
from inferometer.kafka.log_state import LogState
from inferometer.kafka.topics import partition_count

if TYPE_CHECKING:
    from inferometer.kafka.settings import KafkaSettings


def group_lag(kafka: KafkaSettings) -> dict[int, int]:
    """Return the records of each partition that the group has yet to commit.

    Empty where it has committed nothing: nobody has worked as this group. A partition without a
    commit counts from the oldest record kept. Blocks for seconds; raises BrokerError.
    """
    partitions = range(partition_count(kafka, kafka.topic))
    committed = committed_offsets(kafka, len(partitions))
    if not committed:
        return {}
    log = LogState(kafka)
    try:
        spans = log.spans(partitions)
    finally:
        log.close()
    return {
        number: max(0, span.end - max(span.start, committed.get(number, (0, ""))[0]))
        for number, span in spans.items()
    }
