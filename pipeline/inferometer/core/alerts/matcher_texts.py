"""Matchers as people write them: `model="m"`, `env!=dev`, `{model=~"gpt.*", region="eu"}`.

Invariant: `parse_matcher(str(matcher)) == matcher` for every matcher.
"""

from __future__ import annotations

import re

from inferometer.core.alerts.matchers import Matcher

_NAME = r"[A-Za-z_][A-Za-z0-9_.]*"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_MATCHER = re.compile(
    rf"\s*(?P<name>{_NAME})\s*(?P<sign>=~|!~|!=|=)\s*(?P<value>{_QUOTED}|[^\s\"',{{}}=~!][^\s\"',{{}}]*|)\s*"
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"n": "\n"}


def parse_matcher(text: str) -> Matcher:
    """Read one matcher. Raises ValueError that says how to write it."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no matcher; write it like {_example(text)}")
    return _matcher(found)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers with commas between them, braces around them or not. Raises ValueError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    matchers = []
    at = 0
    while at < len(inner.rstrip(" ,")):
        found = _MATCHER.match(inner, at)
        if found is None or inner[found.end() : found.end() + 1] not in {"", ","}:
            raise ValueError(f"{inner[at:]!r} is no matcher; write it like {_example(inner)}")
        matchers.append(_matcher(found))
        at = found.end() + 1
    if not matchers:
        raise ValueError(f"{text!r} holds no matcher; write one like {_example(text)}")
    return tuple(matchers)


def problem_of(matcher: Matcher) -> str:
    """Say what is wrong with a matcher's regular expression, or ""."""
    if not matcher.is_regex:
        return ""
    try:
        re.compile(f"(?:{matcher.value})")
    except re.error as error:
        return f"{matcher.value!r} is no regular expression ({error}); escape its signs with \\"
    return ""


def _matcher(found: re.Match[str]) -> Matcher:
    value, sign = found["value"], found["sign"]
    if value.startswith('"'):
        value = _ESCAPED.sub(lambda escape: _UNESCAPED.get(escape[1], escape[1]), value[1:-1])
    matcher = Matcher(
        found["name"], value, is_regex=sign.endswith("~"), is_equal=not sign.startswith("!")
    )
    if problem := problem_of(matcher):
        raise ValueError(problem)
    return matcher


def _example(text: str) -> str:
    name = re.match(rf"\s*({_NAME})", text)
    return f'{name[1] if name else "model"}="value" (also != =~ !~)'
