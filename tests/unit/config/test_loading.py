"""Layers of the configuration, and the problems that it reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer import config
from inferometer.config.loading import OTHER_VARIABLES, SECRET_FILES, TYPES
from inferometer.errors import ConfigError
from inferometer.sdk import settings as sdk_settings

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "INFEROMETER_WORKER_CHUNK_MAX_WAIT_S"
NAME = "worker.chunk_max_wait_s"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inferometer.toml"


def test_without_sources_every_value_is_its_default() -> None:
    found = config.resolve({})
    assert found.settings == config.Settings()
    assert set(found.origins.values()) == {"default"}
    assert found.problems == ()


def test_a_file_goes_before_the_default(file: Path) -> None:
    file.write_text("[worker]\nchunk_max_wait_s = 3\n")
    found = config.resolve({}, file=file)
    assert found.settings.worker.chunk_max_wait_s == 3.0
    assert found.origins[NAME] == str(file)


def test_a_variable_goes_before_the_file(file: Path) -> None:
    file.write_text("[worker]\nchunk_max_wait_s = 3\n")
    found = config.resolve({VARIABLE: "4"}, file=file)
    assert found.settings.worker.chunk_max_wait_s == 4.0
    assert found.origins[NAME] == VARIABLE


def test_a_flag_goes_before_the_variable() -> None:
    found = config.resolve({VARIABLE: "4"}, flags={NAME: 5})
    assert found.settings.worker.chunk_max_wait_s == 5.0
    assert found.origins[NAME] == "flag"


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert config.resolve({VARIABLE: "4"}, flags={NAME: None}).origins[NAME] == VARIABLE


def test_the_file_may_be_named_by_a_variable(file: Path) -> None:
    file.write_text('[kafka]\ngroup = "other"\n')
    assert config.load({"INFEROMETER_CONFIG": str(file)}).kafka.group == "other"


def test_a_file_named_by_a_flag_goes_before_the_variables_one(file: Path, tmp_path: Path) -> None:
    file.write_text('[kafka]\ngroup = "flag"\n')
    other = tmp_path / "other.toml"
    other.write_text('[kafka]\ngroup = "variable"\n')
    assert config.load({"INFEROMETER_CONFIG": str(other)}, file=file).kafka.group == "flag"


def test_every_problem_is_reported_at_once_with_section_key_and_origin(file: Path) -> None:
    file.write_text("[worker]\nchunk_threads = 0\nchunk_max_evnts = 5\n[walker]\n")
    with pytest.raises(ConfigError) as caught:
        config.load({VARIABLE: "soon", "INFEROMETER_LOG_LEVEL": "loud"}, file=file)
    assert sorted(caught.value.problems) == sorted(
        [
            f"[worker] chunk_threads (from {file}): is 0, must be at least 1",
            "unknown setting worker.chunk_max_evnts; did you mean worker.chunk_max_events? "
            f"(from {file})",
            f"unknown section walker; did you mean worker? (from {file})",
            f"[worker] chunk_max_wait_s (from {VARIABLE}): is 'soon', must be a number",
            "[log] level (from INFEROMETER_LOG_LEVEL): is 'loud', must be one of "
            "debug, info, warning, error",
        ]
    )


def test_a_value_with_a_problem_gives_way_to_its_default() -> None:
    found = config.resolve({"INFEROMETER_LOG_LEVEL": "loud"})
    assert found.settings.log.level == "info"


def test_an_unknown_variable_is_a_problem_with_a_suggestion() -> None:
    (problem,) = config.resolve({"INFEROMETER_STORE_DATABSE": "x"}).problems
    assert problem == (
        "unknown variable INFEROMETER_STORE_DATABSE; did you mean INFEROMETER_STORE_DATABASE?"
    )


def test_variables_of_other_programs_are_left_alone() -> None:
    assert config.resolve({"KAFKA_GROUP": "x", "PATH": "/bin"}).problems == ()


def test_what_the_sdk_reads_is_known() -> None:
    read = {
        *sdk_settings.SETTING_VARIABLES.values(),
        *sdk_settings.DEFAULT_FIELD_VARIABLES.values(),
    }
    assert read <= {*OTHER_VARIABLES, *map(config.variable_name, TYPES)}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[worker", "is not TOML"),
        ("worker = 1", "must be a section, [worker]"),
        ("[worker]\nchunk_threads = true\n", "is True, must be a whole number"),
        ("[worker]\nchunk_threads = 1.5\n", "is 1.5, must be a whole number"),
        ("[kafka]\ngroup = 5\n", "is 5, must be text"),
        ("[store]\npassword = 5\n", "must be text"),
        ("[store]\ndata_dir = 5\n", "is 5, must be the path"),
    ],
)
def test_a_file_that_cannot_work_is_a_problem(file: Path, content: str, problem: str) -> None:
    file.write_text(content)
    (found,) = config.resolve({}, file=file).problems
    assert problem in found
    assert str(file) in found


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = config.resolve({}, file=tmp_path / "none.toml").problems
    assert "cannot be read" in problem


def test_a_flag_of_a_place_takes_the_place_of_the_variables_other_one() -> None:
    environ = {"INFEROMETER_STORE_URL": "http://store:8123"}
    found = config.resolve(environ, flags={"store.data_dir": "data"})
    assert found.problems == ()
    assert found.settings.store.url == ""
    assert found.origins["store.url"] == "default"


def test_two_places_of_one_layer_are_a_problem() -> None:
    environ = {"INFEROMETER_STORE_URL": "http://store:8123", "INFEROMETER_STORE_DATA_DIR": "data"}
    (problem,) = config.resolve(environ).problems
    assert "excludes data_dir" in problem


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": "kafka"}, "must be host:port"),
        ({"INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:x"}, "must be host:port"),
        ({"INFEROMETER_KAFKA_GROUP": ""}, "must not be empty"),
        ({"INFEROMETER_STORE_URL": "store:8123"}, "must begin with http"),
        ({"INFEROMETER_STORE_URL": "http://me:secret@store:8123"}, "must not carry a user"),
        ({"INFEROMETER_STORE_DATABASE": "a b"}, "must be a plain name"),
        ({"INFEROMETER_STORE_REPLICATED": "yes"}, "needs a server"),
        ({"INFEROMETER_WORKER_IN_FLIGHT_MAX_BYTES": "1048576"}, "at least chunk_max_bytes"),
        ({"INFEROMETER_STORE_REQUESTS_RETENTION_DAYS": "99999999"}, "must be at most"),
        ({"INFEROMETER_STORE_DATA_DIR": ""}, "must be the path"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_a_problem(environ: dict[str, str], problem: str) -> None:
    (found,) = config.resolve(environ).problems
    assert problem in found


def test_sasl_needs_user_and_password() -> None:
    problems = config.resolve({"INFEROMETER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}).problems
    assert [problem.split()[1] for problem in problems] == ["sasl_username", "sasl_password"]


def test_tokens_need_an_endpoint_and_a_client() -> None:
    environ = {
        "INFEROMETER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "INFEROMETER_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "INFEROMETER_KAFKA_OAUTH_CLIENT_ID": "worker",
    }
    problems = config.resolve(environ).problems
    assert [problem.split()[1] for problem in problems] == [
        "oauth_token_url",
        "oauth_client_secret",
    ]


def test_a_secret_may_stand_in_a_file(tmp_path: Path, file: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(" s3cret \n")
    by_variable = config.resolve({"INFEROMETER_KAFKA_SASL_PASSWORD_FILE": str(secret)})
    assert by_variable.problems == ()
    assert by_variable.settings.kafka.sasl_password.reveal() == " s3cret "
    origin = by_variable.origins["kafka.sasl_password"]
    assert origin == "INFEROMETER_KAFKA_SASL_PASSWORD_FILE"
    file.write_text(f"[store]\npassword_file = '{secret}'\n")
    assert config.load({}, file=file).store.password.reveal() == " s3cret "
    above = {"INFEROMETER_STORE_PASSWORD": "other"}
    assert config.load(above, file=file).store.password.reveal() == "other"


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read (No such file"), (b"", "is empty"), (b"\xff", "is not UTF-8")],
)
def test_a_file_without_a_secret_is_a_problem(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    secret = tmp_path / "password"
    if content is not None:
        secret.write_bytes(content)
    (found,) = config.resolve({"INFEROMETER_STORE_PASSWORD_FILE": str(secret)}).problems
    assert problem in found
    assert "[store] password_file" in found


def test_a_secret_and_its_file_in_one_place_exclude_each_other(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("x")
    environ = {
        "INFEROMETER_STORE_PASSWORD": "y",
        "INFEROMETER_STORE_PASSWORD_FILE": str(secret),
    }
    (found,) = config.resolve(environ).problems
    assert "keep one of the two" in found


def test_the_url_of_a_problem_never_shows_its_password() -> None:
    found = config.resolve({"INFEROMETER_STORE_URL": "http://me:secret@store:8123"})
    assert "secret" not in str(found.problems)


@given(st.dictionaries(st.sampled_from([config.variable_name(name) for name in TYPES]), st.text()))
def test_any_environment_gives_settings_or_problems(environ: dict[str, str]) -> None:
    found = config.resolve(environ)
    assert isinstance(found.settings, config.Settings)
    assert all(not area.problems() for area in vars(found.settings).values())


def test_the_published_schema_knows_every_setting_and_default() -> None:
    sections = config.config_schema()["properties"]
    named = {f"{section}.{key}" for section, area in sections.items() for key in area["properties"]}
    assert named == {*TYPES, *SECRET_FILES}
    assert json.dumps(sections)
