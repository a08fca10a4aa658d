"""The table of measures with a fixed name: label, unit, definition and the sums of each.

Invariants: a count of requests counts final attempts, while attempts, tokens, media, effort and
money count all (decision 6), so a ratio of the two says which it is over.
"""

from __future__ import annotations

from inferometer.core.cubes import TOKEN_MEASURES
from inferometer.core.query.measures import Measure, Rate, Ratio, Sum, Sums, Unit

FAILURE_COLUMNS = ("errors_4xx", "rate_limited", "client_aborted", "errors_5xx", "errors_other")
TOKEN_COLUMNS = ("input_tokens", "output_tokens")
_US_TO_S = 1e-6
_MINUTE_S = 60.0
_THOUSAND = 1e3
_MILLION = 1e6

_WORSE, _BETTER = True, False

_COUNTS = (
    ("requests", "Requests", "Finished requests: the attempt that the caller got of each.", None),
    ("attempts", "Attempts", "Invocations, retries and fallbacks included.", None),
    ("successes", "Successes", "Requests that ended with 2xx.", _BETTER),
    ("errors_4xx", "Client errors", "Requests that ended with 4xx, without 429 and 499.", _WORSE),
    ("rate_limited", "Rate limited", "Requests that ended with 429.", _WORSE),
    ("client_aborted", "Aborted", "Requests whose client went away (499).", _WORSE),
    ("errors_5xx", "Server errors", "Requests that ended with 5xx.", _WORSE),
    ("errors_other", "Other failures", "Requests with a status of no other class.", _WORSE),
    ("images", "Images", "Images generated, all attempts.", None),
    ("characters", "Characters", "Characters of text spoken or heard, all attempts.", None),
    ("cold_starts", "Cold starts", "Attempts that waited for a model to be loaded.", _WORSE),
    ("cache_hits", "Cache hits", "Attempts answered by a response cache.", _BETTER),
    ("deadlines_missed", "Deadlines missed", "Attempts that ended after their deadline.", _WORSE),
    ("unpriced_requests", "Unpriced", "Attempts that the price book does not know.", _WORSE),
    (
        "partially_priced_requests",
        "Partly priced",
        "Attempts of which the price book does not know every unit.",
        _WORSE,
    ),
)

_TOKEN_WORDS = {
    "input_tokens": ("Input tokens", "all input tokens: cached, audio, images and video included"),
    "output_tokens": ("Output tokens", "all output tokens: reasoning included"),
    "uncached_input_tokens": ("Uncached input", "input tokens that no cache held"),
    "cache_read_tokens": ("Cache reads", "input tokens read from a prompt cache"),
    "cache_write_5m_tokens": ("Cache writes 5m", "input tokens written to a cache for 5 minutes"),
    "cache_write_1h_tokens": ("Cache writes 1h", "input tokens written to a cache for an hour"),
    "audio_input_tokens": ("Audio input", "input tokens of audio"),
    "image_input_tokens": ("Image input", "input tokens of images"),
    "video_input_tokens": ("Video input", "input tokens of video"),
    "text_output_tokens": ("Text output", "output tokens of text, without reasoning"),
    "reasoning_tokens": ("Reasoning", "output tokens of reasoning"),
    "audio_output_tokens": ("Audio output", "output tokens of audio"),
    "image_output_tokens": ("Image output", "output tokens of images"),
}

_SECONDS = (
    ("audio_s", "Audio out", "audio_out_us", "Seconds of audio generated, all attempts."),
    ("audio_in_s", "Audio in", "audio_in_us", "Seconds of audio received, all attempts."),
    ("video_s", "Video", "video_us", "Seconds of video generated, all attempts."),
    ("gpu_s", "GPU time", "gpu_us", "Seconds of GPUs used, all attempts."),
)

_CLASS_RATIOS = (
    ("success_ratio", "Success rate", ("successes",), "2xx", _BETTER),
    ("failure_ratio", "Failure rate", FAILURE_COLUMNS, "anything but 2xx", _WORSE),
    ("error_4xx_ratio", "Client error rate", ("errors_4xx",), "4xx, not 429 or 499", _WORSE),
    ("rate_limited_ratio", "Rate-limited rate", ("rate_limited",), "429", _WORSE),
    ("client_aborted_ratio", "Aborted rate", ("client_aborted",), "499", _WORSE),
    ("error_5xx_ratio", "Server error rate", ("errors_5xx",), "5xx", _WORSE),
)

_ATTEMPT_RATIOS = (
    ("cold_start_ratio", "Cold-start rate", "cold_starts", "Cold starts over attempts.", _WORSE),
    ("cache_hit_ratio", "Cache-hit rate", "cache_hits", "Cache hits over attempts.", _BETTER),
)

_UNIT_COSTS = (
    ("cost_per_request_usd", "Cost per request", ("requests",), 1.0, "finished requests"),
    ("cost_per_1k_requests_usd", "Cost per 1k requests", ("requests",), _THOUSAND, "requests"),
    ("cost_per_success_usd", "Cost per success", ("successes",), 1.0, "requests that ended 2xx"),
    (
        "cost_per_million_tokens_usd",
        "Cost per million tokens",
        TOKEN_COLUMNS,
        _MILLION,
        "input and output tokens",
    ),
)

_LOG_COSTS = (
    ("cost_input_usd", "Input cost", "cost_input", "uncached input"),
    ("cost_output_usd", "Output cost", "cost_output", "output without reasoning"),
    ("cost_cache_read_usd", "Cache read cost", "cost_cache_read", "cache reads"),
    ("cost_cache_write_usd", "Cache write cost", "cost_cache_write", "cache writes"),
    ("cost_reasoning_usd", "Reasoning cost", "cost_reasoning", "reasoning"),
    ("cost_other_usd", "Other cost", "cost_other", "everything else"),
)

_LOG_COUNTS = (
    ("prefix_cache_tokens", "Prefix-cache tokens", Unit.TOKENS, "Input tokens of a prefix cache."),
    ("preemptions", "Preemptions", Unit.COUNT, "Times that a scheduler put attempts back."),
    ("model_load_bytes", "Model loads", Unit.BYTES, "Bytes of models loaded at cold starts."),
    ("ingress_bytes", "Ingress", Unit.BYTES, "Bytes received from clients."),
    ("log_bytes", "Log volume", Unit.BYTES, "Bytes of telemetry that attempts wrote."),
    ("feature_store_reads", "Feature-store reads", Unit.COUNT, "Reads of a feature store."),
)


def _counts() -> list[Measure]:
    counts = [
        Measure(name, label, Unit.COUNT, definition, Sum(name), higher_is_worse=is_worse)
        for name, label, definition, is_worse in _COUNTS
    ]
    definition = "Requests that ended with anything but 2xx."
    form = Sums(FAILURE_COLUMNS)
    failures = Measure("failures", "Failures", Unit.COUNT, definition, form, higher_is_worse=_WORSE)
    return [*counts, failures]


def _tokens_and_media() -> list[Measure]:
    total = "Input and output tokens of all attempts."
    return [
        *(
            Measure(name, _TOKEN_WORDS[name][0], Unit.TOKENS, _token_definition(name), Sum(name))
            for name in TOKEN_MEASURES
        ),
        Measure("total_tokens", "Tokens", Unit.TOKENS, total, Sums(TOKEN_COLUMNS)),
        *(
            Measure(name, label, Unit.SECONDS, definition, Sum(column, _US_TO_S))
            for name, label, column, definition in _SECONDS
        ),
        Measure(
            "egress_bytes", "Egress", Unit.BYTES, "Bytes sent out, all attempts.",
            Sum("egress_bytes"),
        ),
    ]  # fmt: skip


def _token_definition(name: str) -> str:
    return f"The sum over all attempts of {_TOKEN_WORDS[name][1]}."


def _rates() -> list[Measure]:
    per_s, per_min = Unit.PER_SECOND, Unit.PER_MINUTE
    return [
        Measure(
            "rps", "Requests per second", per_s, "Requests that ended, each second.",
            Rate(("requests",)),
        ),
        Measure(
            "rpm", "Requests per minute", per_min, "Requests that ended, each minute.",
            Rate(("requests",), _MINUTE_S),
        ),
        Measure(
            "tpm", "Tokens per minute", per_min,
            "Input and output tokens of attempts that ended, each minute.",
            Rate(TOKEN_COLUMNS, _MINUTE_S),
        ),
        Measure(
            "input_tpm", "Input tokens per minute", per_min, "Input tokens, each minute.",
            Rate(("input_tokens",), _MINUTE_S),
        ),
        Measure(
            "output_tpm", "Output tokens per minute", per_min, "Output tokens, each minute.",
            Rate(("output_tokens",), _MINUTE_S),
        ),
    ]  # fmt: skip


def _ratios() -> list[Measure]:
    return [
        *(
            Measure(
                name, label, Unit.RATIO, f"Requests that ended {what}, over all finished requests.",
                Ratio(columns, ("requests",)), higher_is_worse=is_worse,
            )
            for name, label, columns, what, is_worse in _CLASS_RATIOS
        ),
        Measure(
            "retry_inflation", "Retry inflation", Unit.RATIO,
            "Attempts over requests: 1 without any retry (invocations over unique requests).",
            Ratio(("attempts",), ("requests",)), higher_is_worse=_WORSE,
        ),
        *(
            Measure(
                name, label, Unit.RATIO, definition, Ratio((column,), ("attempts",)),
                higher_is_worse=is_worse,
            )
            for name, label, column, definition, is_worse in _ATTEMPT_RATIOS
        ),
    ]  # fmt: skip


def _money() -> list[Measure]:
    cost = "Usage times the price book, all attempts; what has no price counts as $0."
    per_minute = "Cost of attempts that ended, each minute."
    return [
        Measure("cost_usd", "Cost", Unit.USD, cost, Sum("cost_usd")),
        *(
            Measure(
                name, label, Unit.USD, f"Cost of all attempts over {what}.",
                Ratio(("cost_usd",), under, factor), higher_is_worse=_WORSE,
            )
            for name, label, under, factor, what in _UNIT_COSTS
        ),
        Measure(
            "cost_per_minute_usd", "Cost per minute", Unit.USD, per_minute,
            Rate(("cost_usd",), _MINUTE_S),
        ),
        *(
            Measure(
                name, label, Unit.USD, f"The part of the cost that is for {what}; from the log.",
                Sum(column), is_from_log_only=True,
            )
            for name, label, column, what in _LOG_COSTS
        ),
    ]  # fmt: skip


def _log_counts() -> list[Measure]:
    return [
        Measure(
            name, label, unit, f"{definition[:-1]}; from the log.", Sum(name),
            is_from_log_only=True,
        )
        for name, label, unit, definition in _LOG_COUNTS
    ]  # fmt: skip


FIXED_MEASURES: tuple[Measure, ...] = (
    *_counts(),
    *_rates(),
    *_ratios(),
    *_tokens_and_media(),
    *_money(),
    *_log_counts(),
)
"""All that is not a mean, a quantile or a share of a duration."""
