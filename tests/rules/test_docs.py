"""The documents: links and anchors lead somewhere, commands parse, settings and metrics exist."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inferometer import config
from inferometer.cli.main import COMMANDS, command_parser, load_command
from inferometer.config.loading import OTHER_VARIABLES, SECRET_FILES, TYPES, variable_name
from inferometer.core import codec
from inferometer.core.reasons import Reason
from inferometer.sdk import Client
from tests.rules.test_help import arguments_of
from tests.unit.sdk.recording import RecordingTransport

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [ROOT / "README.md", *ROOT.glob("deploy/**/*.md"), *ROOT.glob("schemas/**/*.md")]
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
README_WORDS = 5_200
"""What is read in one sitting, half an hour."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    prose = re.sub(r"^```.*?^```", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> list[tuple[str, str]]:
    """Return (file, anchor) of each link that stays in the repository."""
    found = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text_of(path))
    return [(link.partition("#")[0], link.partition("#")[2]) for link in found]


def shell_lines(path: Path) -> list[str]:
    """Return the lines of shell blocks, comments aside."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text_of(path), re.DOTALL | re.MULTILINE)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line.partition("    #")[0].strip() for line in joined.splitlines()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_and_anchors_lead_somewhere(path: Path) -> None:
    lost = []
    for file, anchor in links(path):
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{file}#{anchor}")
    assert lost == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_commands_in_blocks_are_understood(path: Path) -> None:
    for line in shell_lines(path):
        if line.startswith("inferometer "):
            command, *rest = arguments_of(line)
            assert command in COMMANDS, line
            command_parser(command, load_command(command)).parse_args(rest)


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_targets_of_make_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text_of(path))) <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_settings_and_variables_exist(path: Path) -> None:
    variables = {variable_name(name) for name in (*TYPES, *SECRET_FILES)} | {*OTHER_VARIABLES}
    # What Kubernetes would make of a service, named as a warning.
    variables.add("INFEROMETER_SERVE_PORT")
    assert set(re.findall(r"\bINFEROMETER_[A-Z0-9_]+", text_of(path))) <= variables
    sections = "|".join(area.SECTION for area in config.AREAS)
    named = set(re.findall(rf"`((?:{sections})\.(?!yaml)[a-z0-9_]+)[`=\s]", text_of(path)))
    assert named <= TYPES.keys()


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(text_of(ROOT / "README.md").split()) <= README_WORDS


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    text = text_of(ROOT / "schemas" / "README.md")
    assert [reason for reason in Reason if f"`{reason.value}`" not in text] == []


def test_the_example_of_a_configuration_has_every_section() -> None:
    example = ROOT / "schemas" / "examples" / "inferometer.toml"
    sections = re.findall(r"^\[(\w+)\]", text_of(example), re.MULTILINE)
    assert sections == [area.SECTION for area in config.AREAS]
    # Its password comes from the environment, as it says.
    environ = {"INFEROMETER_KAFKA_SASL_PASSWORD": "secret"}
    assert config.resolve(environ, file=example).problems == ()


def litellm_call(**fields: Any) -> dict[str, Any]:
    """Return what LiteLLM logs of a call, as its documentation describes it."""
    return {
        "id": "chatcmpl-1", "trace_id": "t-1", "stream": True, "status": "success",
        "custom_llm_provider": "openai", "model": "gpt-4o", "model_group": "assistant",
        "prompt_tokens": 900, "completion_tokens": 120, "cache_hit": None,
        "startTime": 1_767_225_600.25, "completionStartTime": 1_767_225_600.75,
        "endTime": 1_767_225_602.25,
        "metadata": {
            "user_api_key_user_id": "u-1", "user_api_key_team_id": "search",
            "usage_object": {"prompt_tokens_details": {"cached_tokens": 512}},
        },
        **fields,
    }  # fmt: skip


@pytest.fixture
def sent_by_litellm(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Events that the documented callback makes of a success and a failure."""
    transports: list[RecordingTransport] = []

    def new_transport(settings: Any, client: Any) -> RecordingTransport:
        transports.append(RecordingTransport(settings, client))
        return transports[-1]

    def new_client(**given: Any) -> Client:
        return Client(bootstrap_servers="kafka:9092", new_transport=new_transport, **given)

    logger = ModuleType("litellm.integrations.custom_logger")
    logger.CustomLogger = object  # type: ignore[attr-defined]
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, logger.__name__, logger)
    monkeypatch.setattr("inferometer.sdk.Client", new_client)
    [code] = re.findall(
        r"^```python\n(.*?)^```", text_of(ROOT / "schemas/README.md"), re.DOTALL | re.MULTILINE
    )
    scope: dict[str, Any] = {}
    exec(compile(code, "schemas/README.md", "exec"), scope)
    events, client = scope["events"], scope["client"]
    failure = litellm_call(
        status="failure", completion_tokens=0, stream=None, model_group=None,
        error_information={"error_code": "429", "error_class": "RateLimitError"},
    )  # fmt: skip
    for send, call in (
        (events.async_log_success_event, litellm_call()),
        (events.async_log_failure_event, failure),
    ):
        asyncio.run(send({"standard_logging_object": call}, None, None, None))
    client.flush(5.0)
    client.close()
    return [event for transport in transports for event in transport.events()]


def test_the_callback_for_litellm_makes_events_of_the_contract(
    sent_by_litellm: list[dict[str, Any]],
) -> None:
    success, failure = (codec.event_of(event) for event in sent_by_litellm)
    assert (success.status_code, success.ttft_ms, success.e2e_ms) == (200, 500.0, 2000.0)
    assert (success.input_tokens, success.cache_read_tokens, success.output_tokens) == (
        900,
        512,
        120,
    )
    assert (success.user_id, success.team_ids, success.virtual_model) == (
        "u-1",
        ["search"],
        "assistant",
    )
    assert (failure.status_code, failure.error_type, failure.ttft_ms) == (
        429,
        "RateLimitError",
        None,
    )
