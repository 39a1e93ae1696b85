"""Fields of Amazon Bedrock's Converse API: of an answer, of its blocks, and of the events of its streams."""

from __future__ import annotations

from specspan.instrument.formats.known_fields import COUNTS, WHOLE, AnswerFields, Known, known, or_text

METRICS = "amazon-bedrock-invocationMetrics"
"""Field that the service adds to the last event of a body's own stream."""
_CITATION = known("", title=WHOLE, source=WHOLE, sourceContent=WHOLE, location=WHOLE)
_SOURCE = known("bytes", text=WHOLE, content=WHOLE, s3Location=known("uri bucketOwner"))
_MEDIA = known("format", source=_SOURCE)
_TOOL_USE = known("toolUseId name type", input=WHOLE)
_RESULT_KINDS: dict[str, Known] = {
    **dict.fromkeys(("image", "video", "audio"), _MEDIA),
    **dict.fromkeys(("text", "json", "searchResult"), WHOLE),
    "document": known("format name context", source=_SOURCE, citations=COUNTS),
}
_RESULTS = or_text(known("", **_RESULT_KINDS))
_BLOCKS: dict[str, Known] = {
    "text": WHOLE,
    "toolUse": _TOOL_USE,
    "toolResult": known("toolUseId status type", content=_RESULTS),
    "searchResult": known("source", title=WHOLE, content=or_text(known(text=WHOLE)), citations=COUNTS),
    "reasoningContent": known("redactedContent", reasoningText=or_text(known("signature", text=WHOLE))),
    "citationsContent": known("", content=or_text(known(text=WHOLE)), citations=_CITATION),
    "guardContent": known("", text=known("qualifiers", text=WHOLE), image=_MEDIA),
    "document": known("format name context", source=_SOURCE, citations=COUNTS),
    **dict.fromkeys(("image", "video", "audio"), _MEDIA),
    "cachePoint": known("type ttl"),
    **dict.fromkeys(("toolAddition", "toolRemoval"), known("", tool=known("type"))),
    "SDK_UNKNOWN_MEMBER": known("name"),
}
_BLOCK = or_text(known("type", **_BLOCKS))
_TRACE = known("", guardrail=WHOLE, promptRouter=known("invokedModelId"))
_SERVICE: dict[str, Known] = {
    "usage": COUNTS,
    "metrics": COUNTS,
    "trace": _TRACE,
    "performanceConfig": known("latency"),
    "serviceTier": known("type"),
    METRICS: COUNTS,
}
"""Fields in which the service tells of an answer."""
ANSWER = known(
    "stopReason",
    output=or_text(known("", message=or_text(known("role", content=_BLOCK)))),
    additionalModelResponseFields=WHOLE,
    ResponseMetadata=WHOLE,
    **_SERVICE,
)
_DELTA = known(
    "",
    text=WHOLE,
    toolUse=or_text(known("", input=WHOLE)),
    reasoningContent=or_text(known("redactedContent signature", text=WHOLE)),
    citation=_CITATION,
    toolResult=WHOLE,
    image=_MEDIA,
    SDK_UNKNOWN_MEMBER=known("name"),
)
_START = known("", toolUse=_TOOL_USE, toolResult=known("toolUseId status type"), image=_MEDIA, text=known())
EVENT = known(
    "",
    messageStart=known("role p"),
    contentBlockStart=known("contentBlockIndex p", start=_START),
    contentBlockDelta=known("contentBlockIndex p", delta=_DELTA),
    contentBlockStop=known("contentBlockIndex p"),
    messageStop=known("stopReason p"),
    metadata=known("p", **_SERVICE),
    **{METRICS: COUNTS},
)
CONVERSE = AnswerFields(ANSWER)
CONVERSE_EVENT = AnswerFields(EVENT)
