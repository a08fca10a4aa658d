"""What a price is: a unit, an amount, the names and the time it holds for, and its condition.

Invariants: units are disjoint, so a token is paid for once; an amount is `usd` for `per` units,
both exact, so that a price by the hour or by the million loses no digit; times are microseconds
since 1970 UTC, a period includes its start and not its end.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inferometer.core.money import PICO_PER_USD
from inferometer.core.price_match import Match

DAY_US = 86_400_000_000
ALWAYS_FROM_US = 0
ALWAYS_TO_US = 2**62
MAX_USD = Decimal(1_000_000)
"""Of one amount; with MAX_DECIMALS it keeps a hostile price file from costing memory."""
MAX_DECIMALS = 30


class Unit(enum.StrEnum):
    """What is billed; the value is the event's field of that name (`requests` is 1 a success)."""

    UNCACHED_INPUT = "uncached_input_tokens"
    CACHE_READ = "cache_read_tokens"
    CACHE_WRITE_5M = "cache_write_5m_tokens"
    CACHE_WRITE_1H = "cache_write_1h_tokens"
    AUDIO_INPUT = "audio_input_tokens"
    IMAGE_INPUT = "image_input_tokens"
    VIDEO_INPUT = "video_input_tokens"
    TEXT_OUTPUT = "text_output_tokens"
    REASONING = "reasoning_tokens"
    AUDIO_OUTPUT = "audio_output_tokens"
    IMAGE_OUTPUT = "image_output_tokens"
    IMAGES = "images"
    VIDEO_SECONDS = "video_seconds"
    AUDIO_IN_SECONDS = "audio_in_seconds"
    AUDIO_OUT_SECONDS = "audio_out_seconds"
    CHARACTERS = "characters"
    REQUESTS = "requests"


UNITS = tuple(Unit)
INPUT_UNITS = UNITS[:7]
OUTPUT_UNITS = UNITS[7:11]
TOKEN_UNITS = INPUT_UNITS + OUTPUT_UNITS
MEDIA_UNITS = UNITS[11:]
SECONDS_UNITS = frozenset({Unit.VIDEO_SECONDS, Unit.AUDIO_IN_SECONDS, Unit.AUDIO_OUT_SECONDS})
"""Counted in microseconds, priced by the second."""
MICROSECONDS_PER_SECOND = 1_000_000

BILLED_ON_SUCCESS = frozenset({Unit.IMAGES, Unit.VIDEO_SECONDS, Unit.REQUESTS})
"""Requirements, decision 8; a fee per request follows it, as nobody charges for a 429."""

FALLBACKS: dict[Unit, tuple[Unit, ...]] = {
    Unit.CACHE_READ: (Unit.UNCACHED_INPUT,),
    Unit.CACHE_WRITE_5M: (Unit.UNCACHED_INPUT,),
    Unit.CACHE_WRITE_1H: (Unit.CACHE_WRITE_5M, Unit.UNCACHED_INPUT),
    Unit.AUDIO_INPUT: (Unit.UNCACHED_INPUT,),
    Unit.IMAGE_INPUT: (Unit.UNCACHED_INPUT,),
    Unit.VIDEO_INPUT: (Unit.UNCACHED_INPUT,),
    Unit.REASONING: (Unit.TEXT_OUTPUT,),
    Unit.AUDIO_OUTPUT: (Unit.TEXT_OUTPUT,),
    Unit.IMAGE_OUTPUT: (Unit.TEXT_OUTPUT,),
}
"""Where a model's list has no price for a unit, the first of these that it has stands in.

The common price lists read so: no reasoning price means that reasoning is output, no cache price
that caching changes nothing, no one-hour price that both lifetimes cost the same.
"""

COVERED_BY: dict[Unit, tuple[Unit, ...]] = {
    **dict.fromkeys(TOKEN_UNITS, MEDIA_UNITS),
    Unit.IMAGES: (Unit.IMAGE_OUTPUT,),
    Unit.AUDIO_IN_SECONDS: (Unit.AUDIO_INPUT,),
    Unit.AUDIO_OUT_SECONDS: (Unit.AUDIO_OUTPUT, Unit.CHARACTERS),
    Unit.CHARACTERS: (Unit.UNCACHED_INPUT, Unit.AUDIO_OUTPUT, Unit.AUDIO_OUT_SECONDS),
}
"""The same work measured twice: a used unit without a price is not missing where one of these is
used and priced in the same request.

A speech model sold by the character still reports its seconds, an image model sold by the image
still reports the prompt's tokens; which measure bills differs by model (requirements, S1-15).
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a price holds inside its period; the empty condition always does."""

    min_input_tokens: int = 0
    """Holds for the whole request once its inclusive input total exceeds this; 0 is no condition."""
    traffic_class: str = ""
    daily_from_us: int = 0
    """Start of a daily window, microseconds since midnight UTC; equal ends mean all day."""
    daily_to_us: int = 0
    """End of the window, not included; before the start where it passes midnight."""

    def __post_init__(self) -> None:
        """Write all day in one way, so that equal conditions are equal."""
        if self.daily_from_us == self.daily_to_us:
            object.__setattr__(self, "daily_from_us", 0)
            object.__setattr__(self, "daily_to_us", 0)

    @property
    def has_window(self) -> bool:
        """Say whether the price holds for a part of each day only."""
        return self.daily_from_us != self.daily_to_us

    def holds(self, *, traffic_class: str, time_of_day_us: int, input_tokens: int) -> bool:
        """Say whether a request meets the condition."""
        if self.traffic_class and self.traffic_class != traffic_class:
            return False
        if self.min_input_tokens and input_tokens <= self.min_input_tokens:
            return False
        return self._is_in_window(time_of_day_us)

    def _is_in_window(self, time_of_day_us: int) -> bool:
        start, end = self.daily_from_us, self.daily_to_us
        if start < end:
            return start <= time_of_day_us < end
        return start == end or time_of_day_us >= start or time_of_day_us < end

    def specificity(self) -> tuple[bool, bool, int]:
        """Return what decides between prices that hold: class, then window, then threshold."""
        return (self.traffic_class != "", self.has_window, self.min_input_tokens)


NO_CONDITION = Condition()


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a price book: `usd` for `per` units of a provider's model."""

    provider: str
    """Id of the provider; empty for any."""
    match: Match
    unit: Unit
    usd: Decimal
    per: int = 1
    effective_from_us: int = ALWAYS_FROM_US
    effective_to_us: int = ALWAYS_TO_US
    condition: Condition = NO_CONDITION
    name: str = ""
    """What the source calls the model, for display."""
    source: str = ""
    """The price list it comes from; the order of lists in a book is their precedence."""

    def is_in_force(self, at_us: int) -> bool:
        """Say whether an instant lies in the price's period."""
        return self.effective_from_us <= at_us < self.effective_to_us

    def pico_per_quantum(self) -> Fraction:
        """Return exact pico-dollars per counted quantum: a token, an image, a microsecond."""
        quanta = MICROSECONDS_PER_SECOND if self.unit in SECONDS_UNITS else 1
        return Fraction(self.usd) * PICO_PER_USD / (self.per * quanta)

    def problems(self) -> list[str]:
        """Return what makes this price unusable; empty when sound."""
        found = []
        if not self.usd.is_finite() or not 0 <= self.usd <= MAX_USD:
            found.append(f"the amount must be from 0 to {MAX_USD} USD, not {self.usd}")
        elif -int(self.usd.as_tuple().exponent) > MAX_DECIMALS:
            found.append(f"the amount has more than {MAX_DECIMALS} decimals; round it")
        if self.per < 1:
            found.append(f"a price is for at least 1 unit, not {self.per}")
        if self.effective_from_us >= self.effective_to_us:
            found.append("effective_to must be after effective_from")
        return found


@dataclass(frozen=True, slots=True)
class ProviderRule:
    """How the provider of an event, or its absence, leads to a provider of the book."""

    id: str
    aliases: tuple[str, ...] = ()
    """Other names of this provider, compared without case."""
    match: Match | None = None
    """Names of providers that mean this one; tried after ids and aliases."""
    model_match: Match | None = None
    """Models that are this provider's own: it is taken for them where the event names none."""
    fallbacks: tuple[str, ...] = ()
    """Providers whose lists hold for models that this one resells without a list of its own."""
