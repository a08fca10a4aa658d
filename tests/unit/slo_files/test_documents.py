from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.slo_files.documents import Document, read_documents
from inferometer.slo_files.findings import Findings


def read(text: str) -> tuple[list[Document], list[str]]:
    findings = Findings()
    return read_documents(text, "f.yaml", findings), [str(found) for found in findings.problems]


def test_every_part_knows_its_line() -> None:
    (document,), problems = read("a: 1\nb:\n  - x\n  - c: true\n    d: {e: 2}\n")
    assert problems == []
    assert document.value == {"a": 1, "b": ["x", {"c": True, "d": {"e": 2}}]}
    for path, line in [((), 1), (("b",), 2), (("b", 1), 4), (("b", 1, "d", "e"), 5)]:
        assert document.place(path).line == line


def test_a_part_that_is_not_there_stands_where_its_parent_does() -> None:
    (document,), _ = read("a:\n  b: 1\n")
    assert document.place(("a", "missing", 3)).line == 1


def test_numbers_are_exact() -> None:
    (document,), _ = read("a: 0.999\nb: 1_000\nc: '0.5'\nd: .nan\n")
    assert document.value == {"a": Decimal("0.999"), "b": 1000, "c": "0.5", "d": ".nan"}


def test_a_broken_document_costs_no_other() -> None:
    documents, problems = read("a: 1\n---\nb: [1\n---\nc: 3\n")
    assert [document.value for document in documents] == [{"a": 1}, {"c": 3}]
    assert documents[1].place(("c",)).line == 5
    (problem,) = problems
    assert problem.startswith("f.yaml:3: is not YAML")


def test_a_directive_and_comments_before_a_document_are_no_document() -> None:
    documents, problems = read("%YAML 1.2\n# about\n---\na: 1\n")
    assert [document.value for document in documents] == [{"a": 1}]
    assert documents[0].place(("a",)).line == 4
    assert problems == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "f.yaml:2: a stands twice"),
        ("{[1]: 2}\n", "a key is a word"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3: merge keys"),
        ("a: *nowhere\n", "undefined alias"),
        ("a: &x [*x, *x]\n", "nested too deeply"),
        ("\t- a\n", "is not YAML"),
        ("a: !!int x\n", "quote it"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, words: str) -> None:
    _, problems = read(text)
    assert any(words in problem for problem in problems)


def test_aliases_that_stand_for_billions_are_refused() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{at}: &l{at} [{', '.join([f'*l{at - 1}'] * 9)}]" for at in range(1, 10)]
    documents, problems = read("\n".join(levels))
    assert documents == []
    assert "too large" in problems[0]


@given(st.text(max_size=60))
def test_any_text_gives_documents_or_problems(text: str) -> None:
    read(text)
