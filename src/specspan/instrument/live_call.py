"""One model call, from before it is made until its answer is handed over.

Start the span; input stage; the call, with the span current; output stage; end the span, once. What waits is written
as steps (`specspan.engine.waiting`), so that sync and async callers share all of it. The call is made once, whatever
fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from specspan._support.guard import contain
from specspan.call import Message, ModelCall, Request, Response, Text, Unknown
from specspan.checks.texts import has_unknown_part, texts, unlisted_pointer
from specspan.decision import Stage
from specspan.engine.evaluation import AFTER_CALL, BEFORE_CALL
from specspan.engine.waiting import Steps
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.decided_span import DecidedSpan
from specspan.instrument.formats.carried_answers import RefusedAnswer, refused_answer_in
from specspan.instrument.gate import Pipeline
from specspan.instrument.generators import COMPLETED
from specspan.instrument.unlisted_texts import edit_unlisted, read_unlisted, with_unread_part


class LiveCall(DecidedSpan):
    """Model call under way, read and edited by the adapter of its provider."""

    __slots__ = ("adapter",)

    def __init__(self, adapter: Adapter, pipeline: Pipeline, invocation: Invocation) -> None:
        self.adapter = adapter
        request = None
        try:
            request = adapter.request(invocation)
        except Exception as error:
            contain("instrument.request", error)
        super().__init__(
            pipeline,
            request or Request(adapter.provider, adapter.operation),
            is_read=request is not None,
            package=adapter.package,
            gateway=adapter.gateway,
        )

    def input(self, invocation: Invocation) -> Steps[Invocation]:
        """Have what is to be sent decided. Returns what to send.

        Raises:
            Blocked: the policy sends nothing.
        """
        if self._failure.action.stops:
            raise self.block()
        if not self.asks or self.evaluation is None:
            return invocation
        try:
            ruling = yield from self.evaluation.input(self.call)
        except Exception as error:
            self.rule_failure("instrument.input", error, BEFORE_CALL)
            return invocation
        if ruling.action.stops:
            raise self.block()
        if not ruling.edits:
            return invocation
        try:
            edited = self.adapter.edit_request(invocation, ruling.edits)
            self.call = replace(self.call, request=self.adapter.request(edited))
        except Exception as error:
            self.rule_failure("instrument.edit_request", error, BEFORE_CALL, self.evaluation.fail_rewrite)
            return invocation
        return edited

    def buffer_response(self, result: Any) -> Any:
        """Return an answer that the application can still read after what can be read only once was read of it.

        Raises:
            Blocked: it cannot be read, and a clause fails closed.
        """
        if self.adapter.keep is None:
            return result
        try:
            return self.adapter.keep(result)
        except Exception as error:
            self.rule_failure("instrument.keep", error, AFTER_CALL)
            return result

    def answer_in(self, error: BaseException) -> Any | None:
        """Return the answer that an error of the client carries; None if there is none to decide.

        Raises:
            Blocked: the error cannot be read, and a clause fails closed.
        """
        answer = self.carried_by(error, self.adapter.answer_in)
        return self.refused_by(error) if answer is None else answer

    def refused_by(self, error: BaseException) -> RefusedAnswer | None:
        """Return what the client refused with an error; None if that is nothing of an answer, or no client's error."""
        return None if self.adapter.package is None else self.carried_by(error, refused_answer_in)

    def carried_by(self, error: BaseException, read: Callable[[BaseException], Any | None] | None) -> Any | None:
        """Return what ``read`` finds in an error of the client, as `answer_in` does."""
        if read is None or self.ended or not isinstance(error, Exception):
            return None
        try:
            return read(error)
        except Exception as failure:
            self.rule_failure("instrument.answer_in", failure, AFTER_CALL)
            return None

    def output_of_error(self, answer: Any, error: BaseException) -> Steps[None]:
        """Have the answer decided that an error carries, and end the call with that error.

        The text of an error cannot be edited: a clause that asks for an edit fails.

        Raises:
            Blocked: the policy hands nothing over.
        """
        read = self._read_refused if isinstance(answer, RefusedAnswer) else self._read
        ruling = yield from self.decide_output(partial(read, answer))
        if ruling.edits and self.evaluation is not None:
            failure = LookupError("the text of an error cannot be replaced")
            self.rule_failure("instrument.answer_in", failure, AFTER_CALL, self.evaluation.fail_rewrite)
        self.fail(error)

    def _read_refused(self, refused: RefusedAnswer) -> Response:
        """Read an answer that the client refused: its text as it stands, and what else can be read of it."""
        response = None if refused.body is None else self.adapter.response(refused.body)
        return replace(response or Response(), output=(Message("assistant", refused.parts),))

    def output(self, result: Any) -> Steps[Any]:
        """Have an answer decided, and end the call. Returns what to hand over.

        Raises:
            Blocked: the policy hands nothing over.
        """
        result = yield from self.decide_response(result)
        self.end(COMPLETED)
        return result

    def decide_response(self, result: Any) -> Steps[Any]:
        """Have an answer decided. Returns what to hand over.

        Raises:
            Blocked: the policy hands nothing over.
        """
        ruling = yield from self.decide_output(partial(self._read, result))
        if not ruling.edits or self.evaluation is None:
            return self._restore_names(result)
        try:
            edited = self._edit(result, ruling.edits)
            self.set_response(self._read(edited))
        except Exception as error:
            self.rule_failure("instrument.edit_response", error, AFTER_CALL, self.evaluation.fail_rewrite)
            return result
        return self._restore_names(edited)

    def _restore_names(self, result: Any) -> Any:
        """Return an answer with what was redacted reversibly back in place of its names; it is recorded without."""
        if self.evaluation is None or not self.evaluation.pseudonyms or self.call.response is None:
            return result
        try:
            restored = self.evaluation.pseudonyms.restored(texts(self.call, Stage.OUTPUT))
            return self._edit(result, restored) if restored else result
        except Exception as error:
            contain("instrument.restore_names", error)
            return result

    def set_response(self, response: Response | None) -> None:
        """Take in what was read of an answer."""
        self.call = ModelCall(self.call.request, response, self.call.context)

    def _read(self, result: Any) -> Response | None:
        """Read an answer. A client hands over the body as a text where the service says that it is no JSON."""
        if type(result) is str and result and self.adapter.package is not None:
            return Response(output=(Message("assistant", (Text(result), Unknown("body"))),))
        response, fields = self.adapter.response(result), self.adapter.fields
        if response is None or fields is None or self.evaluation is None:
            return response
        unlisted = read_unlisted(fields, result, self.call.request)
        if not unlisted:
            return response
        is_odd = not fields.has_object(result) and not has_unknown_part(response.output)
        output = with_unread_part(response.output, "body") if is_odd else response.output
        return replace(response, output=output, unlisted=unlisted)

    def _edit(self, result: Any, edits: Edits) -> Any:
        if type(result) is str and self.adapter.package is not None:
            return next(iter(edits.values()))
        response, fields = self.call.response, self.adapter.fields
        if response is None or fields is None or not response.unlisted:
            return self.adapter.edit_response(result, edits)
        fields_of = enumerate(response.unlisted)
        unlisted = {unlisted_pointer(i, j) for i, pieces in fields_of for j in range(len(pieces))}
        edited = edit_unlisted(fields, result, self.call.request, edits)
        return edited if edits.keys() <= unlisted else self.adapter.edit_response(edited, edits)
