"""Parameters say what is wrong with them, all of them at once, and what to do about it."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from inferometer.core.query.questions import QueryRefusedError
from inferometer.web.api.parameters import Asked, Choice, Flag, Parameter, Share, Text, Texts, Whole


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


TEXT = Text("text", "A text.", max_chars=5)
CHOICE = Choice("choice", "A word.", Colour.RED)
WHOLE = Whole("whole", "A number.", 3, least=1, most=10)
SHARE = Share("share", "A share.", 0.5, least=0.1, most=0.9)
FLAG = Flag("flag", "Yes or no.")
TEXTS = Texts("texts", "A list.")
LINES = Texts("lines", "A list without commas.", is_split=False)
ALL: tuple[Parameter[Any], ...] = (TEXT, CHOICE, WHOLE, SHARE, FLAG, TEXTS, LINES)


@pytest.mark.parametrize(
    ("parameter", "texts", "value"),
    [
        (TEXT, [], ""),
        (TEXT, ["abc"], "abc"),
        (CHOICE, [], Colour.RED),
        (CHOICE, ["blue"], Colour.BLUE),
        (WHOLE, ["10"], 10),
        (WHOLE, [], 3),
        (SHARE, ["0.25"], 0.25),
        (FLAG, ["true"], True),
        (FLAG, [], False),
        (TEXTS, ["a,b", "c", "a"], ("a", "b", "c")),
        (TEXTS, ["a,,b", ""], ("a", "b")),
        (LINES, ["a,b", "c", ""], ("a,b", "c")),
    ],
)
def test_a_value_is_read(parameter: Parameter[Any], texts: list[str], value: Any) -> None:
    asked = Asked({parameter.name: texts} if texts else {})
    assert asked[parameter] == value
    assert asked.problems == []


@pytest.mark.parametrize(
    ("parameter", "texts", "reason"),
    [
        (TEXT, ["abcdef"], "6 characters"),
        (TEXT, ["a", "b"], "more than once"),
        (TEXT, ["a\x00b"], "control character"),
        (CHOICE, ["green"], "none of its words"),
        (WHOLE, ["11"], "out of its limits"),
        (WHOLE, ["1.5"], "no whole number"),
        (WHOLE, [""], "no whole number"),
        (WHOLE, ["9" * 5000], "no whole number"),
        (WHOLE, ["\u0661"], "no whole number"),
        (SHARE, ["nan"], "no such number"),
        (SHARE, ["1"], "out of its limits"),
        (SHARE, [""], "no such number"),
        (FLAG, ["yes"], "neither true nor false"),
        (TEXTS, [",".join(map(str, range(101)))], "101 items"),
        (LINES, ["x" * 5000], "more than"),
    ],
)
def test_a_value_that_cannot_be_used_gives_its_reason_and_the_default(
    parameter: Parameter[Any], texts: list[str], reason: str
) -> None:
    asked = Asked({parameter.name: texts})
    assert asked[parameter] == parameter.default
    (problem,) = asked.problems
    assert problem.parameter == parameter.name
    assert reason in problem.reason
    assert problem.remedy
    assert len(problem.reason) < 200


def test_every_problem_is_told_at_once_unknown_names_included() -> None:
    asked = Asked({"whole": ["0"], "flag": ["maybe"], "fla": ["true"]})
    asked.refuse_unknown(ALL)
    _ = asked[WHOLE], asked[FLAG]
    with pytest.raises(QueryRefusedError) as refused:
        asked.check()
    assert [each.parameter for each in refused.value.problems] == ["fla", "whole", "flag"]
    assert "did you mean flag?" in refused.value.problems[0].remedy


@pytest.mark.parametrize("parameter", ALL, ids=lambda each: each.name)
def test_a_parameter_describes_itself(parameter: Parameter[Any]) -> None:
    said = parameter.described()
    assert said["name"] == parameter.name
    assert said["description"]
    assert said["schema"]["type"] in {"string", "integer", "number", "boolean", "array"}
