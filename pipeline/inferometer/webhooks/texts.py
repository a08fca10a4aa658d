"""Texts of messages: the usual ones, or those that a receiver's templates give.

Templates are Jinja, in its sandbox: whoever knows Alertmanager's templates needs conditions and
loops, which `string.Template` lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inferometer.core.alerts import payload
from inferometer.core.alerts.condition_payload import rough_duration

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver

MAX_TITLE = 1024
MAX_TEXT = 8000

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    autoescape=False,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["duration"] = rough_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What people read."""

    title: str
    text: str


def texts_of(receiver: Receiver, notice: Notice) -> Texts:
    """Return the texts for a receiver; a template that fails gives way to the usual text."""
    usual = Texts(
        title=payload.shortened(payload.summary(notice), MAX_TITLE),
        text=payload.shortened("\n".join(payload.lines(notice)), MAX_TEXT),
    )
    if not receiver.title and not receiver.text:
        return usual
    return Texts(
        title=payload.shortened(_rendered(receiver.title, notice, usual.title), MAX_TITLE),
        text=payload.shortened(_rendered(receiver.text, notice, usual.text), MAX_TEXT),
    )


def template_problem(source: str) -> str | None:
    """Return what is wrong with a template, in words; None if it can be read."""
    try:
        _template(source)
    except jinja2.TemplateError as error:
        return str(error)
    return None


def _rendered(source: str, notice: Notice, usual: str) -> str:
    if not source:
        return usual
    try:
        text = _template(source).render(
            **payload.notice_data(notice),
            type=notice.type,
            receiver=notice.receiver,
            transition=str(notice.transition),
            usual=usual,
        )
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError):
        # A page with the usual text is worth more than none.
        return usual
    return text.strip() or usual


@lru_cache(maxsize=256)
def _template(source: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(source)
