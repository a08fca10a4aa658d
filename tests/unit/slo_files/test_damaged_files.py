from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.slo_files import load_slo_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
TEXTS = {
    name: (EXAMPLES / name).read_text(encoding="utf-8") for name in ("slos.yaml", "openslo.yaml")
}
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each key or index of it."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_value_anywhere_gives_objectives_or_problems(name: str, data: st.DataObject) -> None:
    documents = list(yaml.safe_load_all(TEXTS[name]))
    container, key = data.draw(st.sampled_from(list(places(documents))))
    container[key] = data.draw(VALUES)
    load_slo_texts({name: "\n---\n".join(json.dumps(document) for document in documents)})


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_cut_or_insertion_gives_objectives_or_problems(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    start = data.draw(st.integers(min_value=0, max_value=len(text)))
    end = data.draw(st.integers(min_value=start, max_value=min(len(text), start + 80)))
    load_slo_texts({name: text[:start] + data.draw(st.text(max_size=10)) + text[end:]})
