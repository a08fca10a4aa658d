from __future__ import annotations

import pytest

from inferometer.clickhouse.definitions import by_name
from inferometer.clickhouse.migrations import Migration, load_migrations, split_statements
from inferometer.clickhouse.settings import Retention
from inferometer.errors import StateError

REPEATABLE = (
    "CREATE TABLE IF NOT EXISTS ",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS ",
    "CREATE OR REPLACE VIEW ",
    "CREATE OR REPLACE FUNCTION ",
)
REPEATABLE_CHANGES = ("ADD COLUMN IF NOT EXISTS ", "DROP COLUMN IF EXISTS ", "MODIFY COLUMN ")


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        ("-- nothing; at all\n", []),
        ("a;\n-- b\n;", ["a"]),
        ("a; b", ["a", "b"]),
        ("a ';' b; c", ["a ';' b", "c"]),
        ("a 'it''s; \\'x;' b; c", ["a 'it''s; \\'x;' b", "c"]),
        ("a /* ; */ b; c `d;e`", ["a /* ; */ b", "c `d;e`"]),
        ("-- why;\na;", ["-- why;\na"]),
    ],
)
def test_statements_end_at_semicolons_outside_comments_and_quotes(
    text: str, statements: list[str]
) -> None:
    assert split_statements(text) == statements


def test_the_shipped_migrations_are_numbered_without_a_gap() -> None:
    versions = [migration.version for migration in load_migrations()]
    assert versions == list(range(1, len(versions) + 1))
    assert versions


def test_every_shipped_statement_may_run_again() -> None:
    for migration in load_migrations():
        for statement in migration.statements():
            lines = [line for line in statement.splitlines() if line and not line.startswith("--")]
            if lines[0].startswith("ALTER TABLE "):
                changes = [line[4:] for line in lines[1:] if line[4:5].strip()]
                assert changes
                assert all(change.startswith(REPEATABLE_CHANGES) for change in changes)
            else:
                assert lines[0].startswith(REPEATABLE)


def test_statements_are_found_by_the_name_that_they_define_in_their_order() -> None:
    statements = [
        "-- why\nCREATE TABLE IF NOT EXISTS a (b Int8) ENGINE = Memory",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS c TO a AS SELECT 1 AS b",
        "CREATE OR REPLACE FUNCTION f AS (x) -> x",
        "ALTER TABLE a\n    MODIFY COLUMN b Int16",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
    ]
    assert by_name(statements) == {
        "a": [statements[0], statements[3]],
        "c": [statements[1]],
        "f": [statements[2]],
        "v": [statements[4]],
    }


def test_a_statement_that_defines_nothing_is_refused() -> None:
    with pytest.raises(StateError, match="defines nothing: DROP TABLE a"):
        by_name(["DROP TABLE a"])


def test_every_shipped_statement_defines_something() -> None:
    assert by_name(
        statement for migration in load_migrations() for statement in migration.statements()
    )


def test_a_cluster_gets_replicated_engines_under_the_same_checksum() -> None:
    migration = Migration(
        1, "x", "CREATE TABLE a (b Int8)\nENGINE = AggregatingMergeTree\nORDER BY b;"
    )
    assert "ENGINE = ReplicatedAggregatingMergeTree" in migration.statements(replicated=True)[0]
    assert migration.checksum == Migration(1, "x", migration.text).checksum


def test_every_table_but_the_price_book_forgets() -> None:
    text = "".join(migration.text for migration in load_migrations())
    for table in Retention().by_table():
        assert f"CREATE TABLE IF NOT EXISTS {table}" in text
    assert text.count("\nTTL ") == len(Retention().by_table())


def test_every_target_of_tokens_remembers_them() -> None:
    text = "".join(migration.text for migration in load_migrations())
    tables = text.count("CREATE TABLE")
    assert text.count(" non_replicated_deduplication_window = 30000") == tables
    assert text.count(" replicated_deduplication_window = 30000") == tables
