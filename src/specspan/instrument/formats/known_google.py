"""Fields of Gemini's answers and of the chunks of its streams, which have one shape."""

from __future__ import annotations

from specspan.instrument.formats.known_fields import (
    COUNTS,
    WHOLE,
    AnswerFields,
    known,
    known_tree,
    numbered,
    numbers,
    or_text,
    with_made,
)

_CALL = known("id name tool_type will_continue", args=WHOLE, partial_args=WHOLE)
_RESULT = known("id name tool_type scheduling will_continue", response=WHOLE)
_DATA = known("display_name mime_type file_uri", data=WHOLE)
_PART = or_text(
    known(
        "text thought thought_signature",
        function_call=_CALL,
        function_response=_RESULT,
        tool_call=_CALL,
        tool_response=_RESULT,
        inline_data=_DATA,
        file_data=_DATA,
        executable_code=known("id language code"),
        code_execution_result=known("id outcome output"),
        video_metadata=COUNTS,
        media_resolution=known("level num_tokens"),
    )
)
_RATINGS = known_tree("category probability severity overwritten_threshold")
_TOKENS = known(**numbers("log_probability log_probability_sum token_id"))
_CANDIDATE = numbered(
    known(
        "finish_reason index continuation_token",
        **numbers("token_count avg_logprobs"),
        content=known("role", parts=_PART),
        citation_metadata=WHOLE,
        grounding_metadata=WHOLE,
        safety_ratings=_RATINGS,
        url_context_metadata=known_tree("retrieved_url url_retrieval_status"),
        logprobs_result=known(**numbers("log_probability_sum"), chosen_candidates=_TOKENS, top_candidates=WHOLE),
    )
)
GENERATED = AnswerFields(
    with_made(
        known(
            "response_id model_version create_time",
            sdk_http_response=WHOLE,
            candidates=_CANDIDATE,
            usage_metadata=COUNTS,
            prompt_feedback=known("block_reason", safety_ratings=_RATINGS),
            model_status=known("model_stage retirement_time"),
        ),
        "parsed",
        "automatic_function_calling_history",
    )
)
