"""The project's own price file: one line a price, read with every problem found at once.

Invariants: amounts are exact decimals; what `to_document` writes, `read_document` reads to a book of
the same version.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from inferometer.core.price_book import MAX_LABEL_CHARS, PriceBook
from inferometer.core.price_match import Match
from inferometer.core.prices import (
    ALWAYS_FROM_US,
    ALWAYS_TO_US,
    MAX_DECIMALS,
    MAX_USD,
    SECONDS_UNITS,
    TOKEN_UNITS,
    Condition,
    Price,
    ProviderRule,
    Unit,
)
from inferometer.errors import ConfigError

FORMAT = "inferometer.prices.v1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

PER_OF_KEY = {
    "usd_per_unit": 1,
    "usd_per_thousand": 1_000,
    "usd_per_million": 1_000_000,
    "usd_per_mtok": 1_000_000,
    "usd_per_minute": 60,
    "usd_per_hour": 3_600,
}
"""How many units an amount buys; a unit is a token, an image, a second, a character, a request."""


def _amount(value: object) -> object:
    if isinstance(value, float):
        raise ValueError("write the amount as text, such as '0.15': a float is not exact")  # noqa: TRY004 - pydantic's protocol
    return value


def _instant(value: object) -> object:
    if isinstance(value, str):
        is_date = len(value) == len("2026-01-31")
        value = date.fromisoformat(value) if is_date else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs an offset: append Z, or give a date alone")
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), tzinfo=UTC)
    raise ValueError("write a date, 2026-01-31, or a time with offset, 2026-01-31T12:00:00Z")


def _time_of_day(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write the time as text, such as '16:30' (UTC)")  # noqa: TRY004 - pydantic's protocol
    return value


def _match(value: object) -> object:
    return value if isinstance(value, Match) else Match.from_rule(value)


Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    Field(ge=0, le=MAX_USD, decimal_places=MAX_DECIMALS, allow_inf_nan=False),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?([eE][-+]?\d+)?$"},
                   {"type": "number", "minimum": 0}]}
    ),
]  # fmt: skip
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d(:\d\d(\.\d+)?)?$"}),
]
Rule = Annotated[
    Match,
    BeforeValidator(_match),
    WithJsonSchema({"type": "object", "minProperties": 1, "maxProperties": 1}),
]
Name = Annotated[str, Field(max_length=256)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ConditionPart(_Part):
    """When a price holds inside its period; all of what is given must be met."""

    min_input_tokens: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="Holds for the whole request once its input total exceeds this."
    )
    traffic_class: Literal["", "realtime", "batch", "background"] = ""
    daily_from: TimeOfDay = Field(time(), description="Start of a daily window, UTC.")
    daily_to: TimeOfDay = Field(time(), description="End of it, not included; may pass midnight.")


class PricePart(_Part):
    """One price: which provider's model, which unit, how much, when."""

    provider: Name = Field("", description="Empty or absent: any provider.")
    model: Name | None = Field(None, description="The model's name; `*` is any run of characters.")
    match: Rule | None = Field(None, description="Instead of model: a match rule, {equals: x}.")
    name: Name = Field("", description="What to call the model in displays.")
    unit: Unit
    usd_per_unit: Amount | None = None
    usd_per_thousand: Amount | None = None
    usd_per_million: Amount | None = None
    usd_per_mtok: Amount | None = Field(None, description="For units of tokens alone.")
    usd_per_minute: Amount | None = Field(None, description="For units of seconds alone.")
    usd_per_hour: Amount | None = Field(None, description="For units of seconds alone.")
    effective_from: Instant | None = Field(None, description="Absent: since ever.")
    effective_to: Instant | None = Field(None, description="Not included; absent: for ever.")
    condition: ConditionPart = ConditionPart()
    source: Name = Field("", description="The list it belongs to; absent: the file's label.")

    @model_validator(mode="after")
    def _is_one_price(self) -> Self:
        if (self.model is None) == (self.match is None):
            raise ValueError("give either model or match")
        if self.model == "":
            raise ValueError("model is empty; write '*' for any model")
        given = [key for key in PER_OF_KEY if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(PER_OF_KEY)}")
        if given == ["usd_per_mtok"] and self.unit not in TOKEN_UNITS:
            raise ValueError(f"usd_per_mtok is for tokens; for {self.unit} use usd_per_million")
        if given[0] in {"usd_per_minute", "usd_per_hour"} and self.unit not in SECONDS_UNITS:
            raise ValueError(f"{given[0]} is for seconds, not for {self.unit}")
        return self

    def price(self, label: str) -> Price:
        """Return the price as the book holds it."""
        key = next(key for key in PER_OF_KEY if getattr(self, key) is not None)
        return Price(
            provider=self.provider,
            match=self.match or Match.model(self.model or ""),
            unit=self.unit,
            usd=getattr(self, key),
            per=PER_OF_KEY[key],
            effective_from_us=_to_us(self.effective_from, ALWAYS_FROM_US),
            effective_to_us=_to_us(self.effective_to, ALWAYS_TO_US),
            condition=Condition(
                min_input_tokens=self.condition.min_input_tokens,
                traffic_class=self.condition.traffic_class,
                daily_from_us=_time_to_us(self.condition.daily_from),
                daily_to_us=_time_to_us(self.condition.daily_to),
            ),
            name=self.name,
            source=self.source or label,
        )


class ProviderPart(_Part):
    """How the names of providers in events lead to a provider of the file."""

    id: Annotated[str, Field(min_length=1, max_length=256)]
    aliases: list[Name] = Field(default_factory=list)
    match: Rule | None = Field(None, description="Provider names that mean this one.")
    model_match: Rule | None = Field(None, description="Models that are this provider's own.")
    fallbacks: list[Name] = Field(default_factory=list)

    def rule(self) -> ProviderRule:
        """Return the rule as the book holds it."""
        return ProviderRule(
            self.id, tuple(self.aliases), self.match, self.model_match, tuple(self.fallbacks)
        )


class PriceDocument(_Part):
    """A price file of Inferometer, as YAML or JSON."""

    format: Literal["inferometer.prices.v1"]
    label: Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARS)] = Field(
        description="Names the list; part of the price version of every priced request."
    )
    providers: list[ProviderPart] = Field(default_factory=list)
    prices: Annotated[list[PricePart], Field(min_length=1)]


def read_document(document: object, *, file: str) -> PriceBook:
    """Read a parsed price file.

    Args:
        document: what the YAML or JSON parser returned, numbers with a point as Decimal.
        file: what to call it in problems.

    Raises ConfigError with every problem: the file, the index, and what to do.
    """
    try:
        parsed = PriceDocument.model_validate(document)
    except ValidationError as error:
        raise ConfigError([_problem(file, part) for part in error.errors()]) from error
    book = PriceBook(
        parsed.label,
        [part.price(parsed.label) for part in parsed.prices],
        [part.rule() for part in parsed.providers],
    )
    problems = book.problems()
    if problems:
        raise ConfigError([f"{file}: {problem}" for problem in problems])
    return book


def to_document(book: PriceBook) -> dict[str, Any]:
    """Return a book as a price file, ready for a JSON or YAML writer."""
    return {
        "format": FORMAT,
        "label": book.label,
        "providers": [_provider_part(rule) for rule in book.providers],
        "prices": [price_part(price, book.label) for price in book.entries],
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the price file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PriceDocument.model_json_schema(),
    }


def _problem(file: str, error: Any) -> str:
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key; check its spelling against schemas/prices.schema.json"
    return f"{file}: {place or 'the file'}: {message}"


def _provider_part(rule: ProviderRule) -> dict[str, Any]:
    part: dict[str, Any] = {"id": rule.id}
    if rule.aliases:
        part["aliases"] = list(rule.aliases)
    if rule.match:
        part["match"] = rule.match.to_rule()
    if rule.model_match:
        part["model_match"] = rule.model_match.to_rule()
    if rule.fallbacks:
        part["fallbacks"] = list(rule.fallbacks)
    return part


def price_part(price: Price, label: str = "") -> dict[str, Any]:
    """Return one line of a price file; the label of the file is left out as its source."""
    rule = price.match.to_rule()
    part: dict[str, Any] = {"provider": price.provider} if price.provider else {}
    part |= dict(rule) if "model" in rule else {"match": rule}
    if price.name:
        part["name"] = price.name
    part |= {"unit": price.unit.value, _amount_key(price): format(price.usd, "f")}
    if price.effective_from_us != ALWAYS_FROM_US:
        part["effective_from"] = _from_us(price.effective_from_us)
    if price.effective_to_us != ALWAYS_TO_US:
        part["effective_to"] = _from_us(price.effective_to_us)
    if condition := _condition_part(price.condition):
        part["condition"] = condition
    if price.source != label:
        part["source"] = price.source
    return part


def _amount_key(price: Price) -> str:
    if price.per == PER_OF_KEY["usd_per_mtok"] and price.unit in TOKEN_UNITS:
        return "usd_per_mtok"
    return next(key for key, per in PER_OF_KEY.items() if per == price.per)


def _condition_part(condition: Condition) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if condition.min_input_tokens:
        part["min_input_tokens"] = condition.min_input_tokens
    if condition.traffic_class:
        part["traffic_class"] = condition.traffic_class
    if condition.has_window:
        part["daily_from"] = _time_text(condition.daily_from_us)
        part["daily_to"] = _time_text(condition.daily_to_us)
    return part


def _to_us(instant: datetime | None, default: int) -> int:
    return default if instant is None else (instant - EPOCH) // MICROSECOND


def _from_us(instant_us: int) -> str:
    return (EPOCH + instant_us * MICROSECOND).isoformat().replace("+00:00", "Z")


def _time_to_us(moment: time) -> int:
    return (datetime.combine(EPOCH.date(), moment, tzinfo=UTC) - EPOCH) // MICROSECOND


def _time_text(time_of_day_us: int) -> str:
    return (EPOCH + time_of_day_us * MICROSECOND).time().isoformat()
