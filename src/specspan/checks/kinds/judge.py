"""Kind ``judge``: a model, or a function in its place, reads the clause and the call, and decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from specspan._support.durations import parse_seconds
from specspan._support.shares import parse_share
from specspan.calibration.thresholds import Guarantee
from specspan.call import Usage
from specspan.checks.check import Check, CheckConfigError, Trigger
from specspan.checks.judging.budgets import Limits
from specspan.checks.judging.judge import Judge, JudgeSettings
from specspan.checks.judging.judge_answer import ABSTAINING, Thresholds
from specspan.checks.judging.judge_check import Demands, JudgeCheck
from specspan.checks.judging.judge_model import FunctionModel, JudgeModel, import_function
from specspan.checks.judging.judge_prompt import PromptOrder
from specspan.checks.judging.pydantic_ai_model import PydanticAIModel, check_name, price_of
from specspan.checks.judging.rubrics import GENERAL, RUBRICS
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "judge"

_Fact = bool | int | float | str


def _duration(value: Any) -> float:
    seconds = value if isinstance(value, float) else parse_seconds(value)
    if seconds is None:
        remedy = "Write a number and ms, s or m, such as 500ms."
        raise PydanticCustomError("duration", "it is not a duration", {"remedy": remedy})
    return seconds


Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "examples": ["500ms", "2s"]})]


def _share(value: Any) -> float:
    share = parse_share(value)
    if share is None or not 0 < share < 1:
        remedy = "Write a share above 0 and below 1, such as 95% or 0.95."
        raise PydanticCustomError("share", "it is not a share that labels can show", {"remedy": remedy})
    return share


class Entry(BaseModel):
    """Mapping in the configuration."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True, frozen=True)


class TriggerEntry(Entry):
    """Circumstances that make a call worth judging; all that are given have to be there."""

    checks: tuple[str, ...] = Field(default=(), strict=False)
    """Names of checks, reasons or clauses, of which a finding on the call must be violated or uncertain."""
    tags: tuple[str, ...] = Field(default=(), strict=False)
    """Facts of which one must be true."""
    context: dict[str, _Fact | list[_Fact]] = Field(default_factory=dict)
    """Values that each fact may have."""
    provider: str | list[str] | None = None
    """Providers, where ``*`` stands for anything."""
    model: str | list[str] | None = None
    """Models, in the same way."""
    operation: str | list[str] | None = None
    """Operations, in the same way."""

    @property
    def trigger(self) -> Trigger:
        """Return the trigger as the engine takes it."""
        requests = {name: getattr(self, name) for name in ("provider", "model", "operation")}
        facts = {**self.context, **{name: values for name, values in requests.items() if values is not None}}
        listed = ((name, tuple(each) if isinstance(each, list) else (each,)) for name, each in facts.items())
        return Trigger(self.checks, self.tags, tuple(listed))


class BudgetEntry(Entry):
    """Most that the judge may use, in each process; judges with the same model and the same limits share it."""

    calls_per_minute: int | None = Field(default=None, ge=1)
    calls_per_day: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_day: int | None = Field(default=None, ge=1)
    usd_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    usd_per_day: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @property
    def limits(self) -> Limits:
        """Return the limits as a budget keeps them."""
        return Limits(**self.model_dump())


def _score(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        message = "it is not a number"
    elif 0 < value <= 1:
        return float(value)
    else:
        message = "no call would count as violated" if value > 1 else "every call would count as violated"
    remedy = "Write a number above 0 and at most 1, such as 0.7."
    raise PydanticCustomError("threshold", message, {"remedy": remedy})


Score = Annotated[
    float, BeforeValidator(_score), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
]


class ThresholdsEntry(Entry):
    """Scores from which a judge decides; between them its outcome is uncertain."""

    violated: Score
    """Score from which on the clause counts as violated."""
    complied: float = Field(ge=0, le=1)
    """Score up to which the clause counts as complied with."""

    @model_validator(mode="after")
    def _in_order(self) -> ThresholdsEntry:
        if self.complied >= self.violated:
            remedy = "Give 'complied' a lower score than 'violated'."
            raise PydanticCustomError("thresholds", "the thresholds leave nothing in between", {"remedy": remedy})
        return self


Share = Annotated[
    float, BeforeValidator(_share), WithJsonSchema({"type": ["string", "number"], "examples": ["95%", 0.95]})
]


class AgreementEntry(Entry):
    """Agreement with people that is asked of a judge where it decides; the policy's calibration chooses the scores."""

    agreement: Share
    """Least share of its verdicts that agree with labels."""
    confidence: Share
    """Probability, over calibrations, with which it is met."""


def _threshold(value: Any) -> Any:
    """Return the threshold that one form of it gives, so that errors are those of the form that was meant."""
    if not isinstance(value, Mapping):
        return _score(value)
    form = AgreementEntry if value.keys() & AgreementEntry.model_fields.keys() else ThresholdsEntry
    return form.model_validate(value)


class JudgeConfig(Entry):
    """Configuration under ``judge`` in a policy file."""

    model: str | None = Field(default=None, min_length=1)
    """Provider and model, such as ``openai:gpt-5-mini``."""
    function: str | None = None
    """``package.module:function`` of a function that answers in place of a model."""
    endpoint: str | None = None
    """Address of a service that speaks OpenAI's chat API, such as ``http://127.0.0.1:8000/v1``."""
    stage: Stage = Field(default=Stage.OUTPUT, strict=False)
    threshold: Annotated[Score | ThresholdsEntry | AgreementEntry, BeforeValidator(_threshold)] = 0.5
    """Score from which on the clause counts as violated; or two, between which the outcome is uncertain; or an
    agreement with people, by which a calibration chooses the two."""
    min_specificity: Share | None = None
    """Share of answers without a violation that the judge must have been shown to clear, or its clause is only
    observed."""
    when: TriggerEntry = TriggerEntry()
    """Circumstances that make a call worth judging."""
    group: str | None = Field(default=None, min_length=1)
    """Clauses with the same model, stage and group are judged in one request."""
    samples: int = Field(default=1, ge=1, le=15)
    """Number of times that the judge is asked; the majority counts."""
    wait: Duration | None = None
    """How long the call waits for the finding; without it, not at all."""
    timeout: Duration = 30.0
    """How long one request may take."""
    order: PromptOrder = Field(default=PromptOrder.CALL_FIRST, strict=False)
    """Part of the prompt that stands first, for the provider's cache of prompts."""
    budget: BudgetEntry = BudgetEntry()
    """Most that the judge may use."""
    rubric: str = Field(default=GENERAL, json_schema_extra={"enum": list(RUBRICS)})
    """Instructions and answer format: ``general``, or those of a guard model."""
    parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Parameters of the model, such as ``temperature`` and ``max_tokens``."""


SCHEMA = hoist_definitions(
    {
        "description": "a model that reads the clause and the call",
        "anyOf": [{"type": "string"}, JudgeConfig.model_json_schema()],
        "examples": [{"model": "openai:gpt-5-mini", "stage": "output", "threshold": 0.7, "sample": "10%"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``judge`` in a policy file."""
    config = JudgeConfig.model_validate({"model": configuration} if isinstance(configuration, str) else configuration)
    if config.stage is Stage.STREAM:
        raise CheckConfigError("a judge reads whole texts, and has no stage 'stream'", "Write 'output'.", "stage")
    if config.rubric not in RUBRICS:
        raise CheckConfigError(f"unknown rubric {config.rubric!r}", f"Write one of {', '.join(RUBRICS)}.", "rubric")
    _check_samples(config)
    settings = JudgeSettings(
        stage=config.stage,
        rubric=config.rubric,
        order=config.order,
        samples=config.samples,
        timeout_s=config.timeout,
        parameters=tuple(sorted(config.parameters.items())),
    )
    return JudgeCheck(
        Judge(_model(config), settings),
        _thresholds(config.threshold),
        config.budget.limits,
        config.group,
        config.wait,
        config.when.trigger,
        demands=Demands(_guarantee(config.threshold), config.min_specificity),
    )


def _model(config: JudgeConfig) -> JudgeModel:
    if (config.model is None) == (config.function is None):
        raise CheckConfigError("a judge has a model or a function", "Give one of 'model' and 'function'.")
    if config.function is not None:
        return FunctionModel(config.function, import_function(config.function))
    name, endpoint = config.model or "", config.endpoint
    if endpoint is not None:
        _check_endpoint(endpoint)
    check_name(name, endpoint)
    _check_price(name, config.budget.limits)
    return PydanticAIModel(name, endpoint=endpoint, parameters=config.parameters)


def _guarantee(threshold: float | ThresholdsEntry | AgreementEntry) -> Guarantee | None:
    if not isinstance(threshold, AgreementEntry):
        return None
    return Guarantee(threshold.agreement, threshold.confidence)


def _thresholds(threshold: float | ThresholdsEntry | AgreementEntry) -> Thresholds:
    if isinstance(threshold, AgreementEntry):
        return ABSTAINING  # until a calibration chooses
    if isinstance(threshold, ThresholdsEntry):
        return Thresholds(threshold.violated, threshold.complied)
    return Thresholds(threshold)


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        has_credentials = bool(parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        is_valid = has_credentials = False
    if has_credentials:
        remedy = "Keep keys in the environment, such as OPENAI_API_KEY."
        raise CheckConfigError("an endpoint with credentials would be recorded", remedy, "endpoint")
    if not is_valid:
        raise CheckConfigError("the endpoint is not an address", "Write http://host:port/v1.", "endpoint")


def _check_samples(config: JudgeConfig) -> None:
    budget = config.budget
    least = min((each for each in (budget.calls_per_minute, budget.calls_per_day) if each is not None), default=None)
    if least is not None and least < config.samples:
        message = f"a budget of {least} calls never suffices for {config.samples} samples"
        raise CheckConfigError(message, "Allow at least as many calls as samples.", "budget")


def _check_price(name: str, limits: Limits) -> None:
    has_limit = limits.usd_per_minute is not None or limits.usd_per_day is not None
    if has_limit and price_of(name, Usage(input_tokens=1000, output_tokens=1000)) is None:
        message = f"'genai-prices' knows no price of {name!r}, so that a limit in dollars would never be reached"
        raise CheckConfigError(message, "Limit tokens or calls.", "budget")
