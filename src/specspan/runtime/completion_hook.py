"""Completion hook of OpenTelemetry's GenAI instrumentations, which hands over content that is recorded nowhere.

``OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=specspan`` has `opentelemetry-util-genai` find it by its entry point.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from opentelemetry.trace import Span

from specspan._support.guard import guard
from specspan.record import conventions
from specspan.runtime.configuration import current_configuration

_NOT_BRIDGED = "content was handed over and nothing is decided by it: call specspan.configure(bridges=True)"
_log = logging.getLogger("specspan")


class CompletionHook:
    """Hook that keeps a call's content until its span ends, and is then decided as if the span held it."""

    def __init__(self) -> None:
        self._has_warned = False

    def on_completion(
        self,
        *,
        inputs: Sequence[Any] = (),
        outputs: Sequence[Any] = (),
        system_instruction: Sequence[Any] = (),
        tool_definitions: Sequence[Any] | None = None,
        span: Span | None = None,
        log_record: Any = None,
        **_: Any,
    ) -> None:
        """Keep the content of a call; called before its span ends, on the application's thread."""
        with guard("runtime.completion_hook"):
            configuration = current_configuration()
            if configuration is None or configuration.bridge is None:
                if not self._has_warned:
                    self._has_warned = True
                    _log.warning(_NOT_BRIDGED)
                return
            content = {
                conventions.INPUT_MESSAGES: inputs,
                conventions.OUTPUT_MESSAGES: outputs,
                conventions.SYSTEM_INSTRUCTIONS: system_instruction,
                conventions.TOOL_DEFINITIONS: tool_definitions or (),
            }
            if span is not None and span.get_span_context().is_valid:
                plain = {name: _plain(items) for name, items in content.items() if items}
                configuration.bridge.add_content(span.get_span_context(), plain)


def _plain(items: Sequence[Any]) -> list[Any]:
    return [asdict(item) if is_dataclass(item) and not isinstance(item, type) else item for item in items]
