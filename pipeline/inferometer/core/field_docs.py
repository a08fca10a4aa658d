"""What the fields of the contracts mean, where the model itself does not say it already.

Invariant: with the descriptions of the models, every field of a published contract has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTH_DOCS: Mapping[str, str] = {
    "source": "Producer instance, as OTel service.instance.id.",
    "workspace_id": "Tenant that the request belongs to.",
    "environment": "Deployment environment, such as production.",
    "request_id": "The logical request; equal in all its attempts and signals; the record key.",
    "provider": "Who served the request, as gen_ai.provider.name.",
    "model": "The model that was asked for, as gen_ai.request.model.",
    "model_version": "Version or checkpoint of the model.",
    "model_type": "What the model works on; decides which metrics and units apply.",
    "region": "Region that served the request.",
    "deployment_type": "How the model is deployed.",
    "traffic_class": "Whether somebody waits for the answer.",
    "stream": "The answer was streamed.",
}

REQUEST_DOCS: Mapping[str, str] = {
    **BOTH_DOCS,
    "schema_version": "Major version of this contract.",
    "attempt_id": "Unique id of the attempt.",
    "attempt_no": "1 for the first attempt at the request.",
    "is_retry": "The same target was tried again.",
    "is_fallback": "Another target was tried after a failure.",
    "trace_id": "W3C trace id, hex.",
    "span_id": "W3C span id, hex.",
    "session_id": "Conversation, as gen_ai.conversation.id.",
    "response_model": "The model that answered, as gen_ai.response.model.",
    "virtual_model": "Name under which a gateway offers a group of models.",
    "hosting": "Served on own GPUs, or bought from a third party.",
    "batch_job_id": "Batch job that the request is part of.",
    "priority": "Priority given to the scheduler.",
    "user_id": "End user.",
    "virtual_account_id": "Account or key alias that is charged.",
    "api_key_hash": "Hash of the API key; never the key.",
    "feature": "Product feature that made the request.",
    "metadata": "Free labels, at most 32 of at most 128 characters each.",
    "error_type": "Short class of the error, as error.type.",
    "error_message": "The error in words; must not carry prompts or secrets.",
    "finish_reason": "Why generation ended.",
    "input_tokens": "All input tokens, cached ones included.",
    "output_tokens": "All output tokens, reasoning included.",
    "uncached_input_tokens": "Text input read in full; absent: the rest of input_tokens.",
    "cache_read_tokens": "Input read from a prompt cache.",
    "cache_write_5m_tokens": "Input written to a prompt cache that lives 5 minutes.",
    "cache_write_1h_tokens": "Input written to a prompt cache that lives 1 hour.",
    "audio_input_tokens": "Input tokens of audio.",
    "image_input_tokens": "Input tokens of images.",
    "video_input_tokens": "Input tokens of video.",
    "text_output_tokens": "Answer tokens; absent: the rest of output_tokens.",
    "reasoning_tokens": "Output tokens of reasoning.",
    "audio_output_tokens": "Output tokens of audio.",
    "image_output_tokens": "Output tokens of images.",
    "usage_source": "How far the token counts can be trusted.",
    "images": "Images made.",
    "video_seconds": "Seconds of video made.",
    "audio_in_seconds": "Seconds of audio heard.",
    "audio_out_seconds": "Seconds of audio spoken.",
    "characters": "Characters, where speech is billed by them.",
    "queue_ms": "Receipt to scheduled.",
    "prefill_ms": "Scheduled to first token.",
    "decode_ms": "First token to last token.",
    "client_e2e_ms": "The same request as its client saw it, network included.",
    "itl": "Gaps between successive output chunks.",
    "cold_start": "The request waited for its model to start.",
    "cold_start_ms": "How long it waited for that.",
    "model_load_bytes": "Bytes of weights loaded for it.",
    "prefix_cache_tokens": "Input tokens found in the engine's prefix cache.",
    "batch_size_at_start": "Requests in the engine's batch when this one was scheduled.",
    "preemptions": "Times that the engine took the request out of its batch.",
    "node_id": "Machine that served it.",
    "pod_id": "Pod or process that served it.",
    "gpu_ids": "GPUs that served it.",
    "gpu_type": "Type of those GPUs.",
    "gpu_count": "Number of those GPUs.",
    "tp_size": "Tensor-parallel size.",
    "model_store_region": "Region that the weights were loaded from.",
    "gpu_seconds": "Share of busy GPU time that this request took.",
    "egress_bytes": "Bytes sent to the client.",
    "ingress_bytes": "Bytes received from the client.",
    "feature_store_reads": "Reads of a feature store.",
    "log_bytes": "Bytes logged for it.",
    "ratelimit_limit_requests": "Request limit that the provider stated.",
    "ratelimit_remaining_requests": "Requests left under it.",
    "ratelimit_limit_tokens": "Token limit that the provider stated.",
    "ratelimit_remaining_tokens": "Tokens left under it.",
    "cost_input": "Part of price_cost for input.",
    "cost_output": "Part of price_cost for output.",
    "cost_cache_read": "Part of price_cost for cache reads.",
    "cost_cache_write": "Part of price_cost for cache writes.",
    "cost_reasoning": "Part of price_cost for reasoning.",
    "cost_other": "Part of price_cost for everything else.",
    "cost_source": "Who computed the cost.",
    "price_version": "Price book that the producer used, where it priced.",
}

SIGNAL_DOCS: Mapping[str, str] = {
    **BOTH_DOCS,
    "kind": "What happened.",
}

GAPS_DOCS: Mapping[str, str] = {
    "count": "Gaps measured.",
    "sum_ms": "Their sum.",
    "max_ms": "The longest of them.",
    "bins": "Log bins and their counts in turn, bins ascending: [bin, count, bin, count, ...].",
}
