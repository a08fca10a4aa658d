from __future__ import annotations

import pytest

from inferometer.core.price_match import Match, MatchIndex

RULES = [
    ({"equals": "GPT-4o"}, "gpt-4o", "gpt-4o-mini"),
    ({"starts_with": "gpt-4"}, "gpt-4o", "a-gpt-4"),
    ({"ends_with": "-mini"}, "o3-mini", "o3-mini-high"),
    ({"contains": "Claude"}, "anthropic.claude-3", "gemini"),
    ({"regex": "^o[134]"}, "o3-mini", "o2"),
    ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", "c"),
    ({"and": [{"starts_with": "a"}, {"ends_with": "z"}]}, "a-z", "a-y"),
    ({"model": "llama-3.*-instruct"}, "llama-3.1-8b-instruct", "llama-3x1-instruct"),
    ({"model": "gpt-4.1"}, "gpt-4.1", "gpt-4x1"),
]


@pytest.mark.parametrize(("rule", "hit", "miss"), RULES, ids=[str(r[0]) for r in RULES])
def test_a_rule_matches_its_names_alone_and_round_trips(
    rule: dict[str, object], hit: str, miss: str
) -> None:
    match = Match.from_rule(rule)
    assert match.matches(hit)
    assert not match.matches(miss)
    assert match.to_rule() == rule
    assert Match.from_rule(match.to_rule()) == match


nested: object = {"equals": "x"}
for _ in range(10):
    nested = {"or": [nested]}


@pytest.mark.parametrize(
    "rule",
    [None, {}, {"like": "x"}, {"equals": ""}, {"or": []}, {"or": "x"}, {"regex": "("}, nested,
     {"equals": "x", "regex": "y"}],
    ids=str,
)  # fmt: skip
def test_anything_else_is_refused(rule: object) -> None:
    with pytest.raises(ValueError, match=r"match|text|compile"):
        Match.from_rule(rule)


def test_an_index_finds_what_the_rules_one_by_one_find() -> None:
    matches = [Match.from_rule(rule) for rule, _, _ in RULES]
    index = MatchIndex(matches)
    for name in {name for _, hit, miss in RULES for name in (hit, miss)} | {"a", "o3-mini-claude"}:
        expected = [place for place, match in enumerate(matches) if match.matches(name)]
        assert index.all(name) == expected
        assert index.first(name) == (expected[0] if expected else None)
