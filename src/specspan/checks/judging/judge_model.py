"""Model behind a judge, as the judge sees it; and a plain function in its place."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol

from specspan.call import NOT_COUNTED, Usage
from specspan.checks.check import CheckConfigError
from specspan.checks.judging.judge_prompt import JudgePrompt


@dataclass(frozen=True, slots=True)
class ModelReply:
    """Reply of a model."""

    text: str
    usage: Usage = NOT_COUNTED
    model: str | None = None
    """Model that answered, as the provider names it."""
    id: str | None = None
    cost_usd: Decimal | None = None
    """Price by `genai-prices`; None where it knows none."""


class ModelFailure(Exception):
    """Failure of a request. It holds a code alone: a provider's message may quote the prompt, or a key."""

    def __init__(
        self, reason: str, *, retry_after_s: float | None = None, can_retry: bool = True, is_outage: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        """``timeout``, ``rate_limited``, ``http_<status>``, ``connection`` or ``model_error``."""
        self.retry_after_s = retry_after_s
        """Seconds that the endpoint asks to wait for."""
        self.can_retry = can_retry
        """False where the same request would fail again."""
        self.is_outage = is_outage
        """True where the failure says something of the endpoint rather than of the request."""


class JudgeModel(Protocol):
    """Model that a judge asks."""

    @property
    def name(self) -> str:
        """Name, as recorded: ``openai:gpt-5-mini``."""

    @property
    def provider(self) -> str:
        """Name of the provider, by the conventions of OpenTelemetry."""

    @property
    def endpoint(self) -> str:
        """Key of the endpoint, for the circuit breaker; without credentials."""

    async def request(self, prompt: JudgePrompt, timeout_s: float) -> ModelReply:
        """Return the model's reply.

        Raises:
            ModelFailure: there is none.
        """


@dataclass(frozen=True, slots=True)
class FunctionModel:
    """Function of the application's own that answers a `JudgePrompt`, as text or as the JSON value of the answer."""

    name: str
    function: Callable[[JudgePrompt], Any] = field(compare=False)
    provider: str = "function"

    @property
    def endpoint(self) -> str:
        """Key of the function."""
        return f"function:{self.name}"

    async def request(self, prompt: JudgePrompt, timeout_s: float) -> ModelReply:
        """Return what the function answers; one that is not a coroutine function runs on a thread."""
        try:
            result = await asyncio.wait_for(self._call(prompt), timeout_s)
            text = result if isinstance(result, str) else json.dumps(result)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise ModelFailure("timeout") from error
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise ModelFailure("model_error", can_retry=False, is_outage=False) from error
        except Exception as error:
            raise ModelFailure("model_error", can_retry=False, is_outage=False) from error
        return ModelReply(text, model=self.name)

    async def _call(self, prompt: JudgePrompt) -> Any:
        if not inspect.iscoroutinefunction(self.function):
            return await run_on_daemon_thread(self.function, prompt)
        try:
            return await self.function(prompt)
        except (Exception, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # such as SystemExit, which would end the loop of all judges
            raise RuntimeError(type(error).__name__) from error


def _is_cancelled() -> bool:
    """Return whether the task that runs was asked to end, rather than what it waits for. Python 3.10 cannot say."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return bool(callable(cancelling) and cancelling())


async def run_on_daemon_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Run a function on a thread that does not keep the process from ending, as an executor's would.

    It has the caller's context: there, calls of the function are seen to be a judge's own.
    """
    loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    context = contextvars.copy_context()

    def settle(set_result: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            set_result(value)

    def work() -> None:
        try:
            outcome = future.set_result, context.run(function, *args)
        except BaseException as error:
            outcome = (
                future.set_exception,
                error if isinstance(error, Exception) else RuntimeError(type(error).__name__),
            )
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="specspan-judge-function", daemon=True).start()
    return await future


def import_function(reference: str) -> Callable[[JudgePrompt], Any]:
    """Return the function that ``package.module:function`` names.

    Raises:
        CheckConfigError: there is none.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        function: Any = import_module(module_name)
        for step in attribute.split("."):
            function = getattr(function, step)
    except Exception as error:  # whatever importing somebody else's module raises
        message = f"judge {reference!r} could not be imported: {type(error).__name__}: {error}"
        raise CheckConfigError(
            message, "Give package.module:function of a function of one prompt.", "function"
        ) from error
    if not callable(function):
        raise CheckConfigError(f"judge {reference!r} cannot be called", "Give a function of one prompt.", "function")
    called: Callable[[JudgePrompt], Any] = function
    return called
