"""Answers that clients hand out and nobody decides: counted, and said once where a policy is enforced."""

from __future__ import annotations

import logging
import runpy
from pathlib import Path
from typing import Any

import pytest
from bedrock_wire import Wire as BedrockWire
from bedrock_wire import client
from openai_wire import Wire, completion
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action, Mode
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

ROOT = Path(__file__).resolve().parents[2]
LISTED = {"object": "list", "data": [completion("a secret")], "has_more": False}


def quiet(mode: Mode = Mode.ENFORCE) -> Policy:
    """Return a policy that blocks the word ``secret``."""
    return policy(bound("quiet", pattern("secret", reason="word"), action=Action.BLOCK), mode=mode)


def listed() -> Any:
    """Return the stored completions, as the client lists them."""
    return list(Wire(LISTED).sync_client().chat.completions.list())


def test_an_answer_that_is_not_decided_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """In enforce mode the log names what hands out answers and is not decided, once, and each call is counted."""
    before = drop_counts.totals().get(("enforcement", "not_met"), 0)
    with recorded(quiet()) as record, caplog.at_level(logging.WARNING, "specspan"):
        assert "secret" in str(listed())
        listed()
    assert [each.message for each in caplog.records] == [
        "lists of stored chat completions of openai: handed out undecided (see docs/enforcement.md)"
    ]
    assert drop_counts.totals()["enforcement", "not_met"] - before == 2
    assert record.decisions == ()


def test_nothing_is_said_in_observe_mode(caplog: pytest.LogCaptureFixture) -> None:
    """There nothing is enforced, and the call is counted as one that is not recorded."""
    before = drop_counts.totals().get(("call", "not_met"), 0)
    with recorded(quiet(Mode.OBSERVE)), caplog.at_level(logging.WARNING, "specspan"):
        listed()
    assert (caplog.records, drop_counts.totals()["call", "not_met"] - before) == ([], 1)


def test_operations_of_bedrock_are_said_too(caplog: pytest.LogCaptureFixture) -> None:
    """One that is answered into a store; those of other services are nobody's answers."""
    asked = {"modelId": "m", "modelInput": {}, "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/o"}}}
    with recorded(quiet()) as record, caplog.at_level(logging.WARNING, "specspan"):
        client(BedrockWire({"invocationArn": "a"})).start_async_invoke(**asked)
        client(BedrockWire({"modelSummaries": []}), "bedrock").list_foundation_models()
    assert [each.message for each in caplog.records] == [
        "StartAsyncInvoke of bedrock-runtime: handed out undecided (see docs/enforcement.md)"
    ]
    assert record.decisions == ()


UNDECIDED: tuple[tuple[str, str], ...] = (
    ("delete", "/chat/completions"),
    ("get", "/completions;v=1"),
    ("patch", "/responses/resp_1%20"),
    ("post", "/threads//thread_1/runs"),
    ("get", "/files/file_1/content/"),
)


@pytest.mark.parametrize(("method", "path"), UNDECIDED)
def test_what_is_not_decided_by_path_is_counted_and_said_once(
    method: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However the path is written."""
    before = drop_counts.totals().get(("enforcement", "not_met"), 0)
    with recorded(quiet()) as record, caplog.at_level(logging.WARNING, "specspan"):
        for _ in range(2):
            getattr(Wire(completion("a secret")).sync_client(), method)(path, cast_to=object)
    assert record.decisions == ()
    assert drop_counts.totals()["enforcement", "not_met"] == before + 2
    assert [each.message.endswith("handed out undecided (see docs/enforcement.md)") for each in caplog.records] == [
        True
    ]


HANDS_OUT_NONE: tuple[tuple[str, str], ...] = (
    ("delete", "/chat/completions/c_1"),
    ("delete", "/responses/resp_1"),
    ("post", "/responses/input_tokens"),
    ("get", "/organization/usage/completions"),
    ("get", "/models"),
)


@pytest.mark.parametrize(("method", "path"), HANDS_OUT_NONE)
def test_what_hands_out_no_answer_is_not_counted(method: str, path: str) -> None:
    """Such requests are the client's own as well."""
    before = drop_counts.totals().get(("enforcement", "not_met"), 0)
    with recorded(quiet()) as record:
        getattr(Wire(completion("a secret")).sync_client(), method)(path, cast_to=object)
    assert record.decisions == ()
    assert drop_counts.totals().get(("enforcement", "not_met"), 0) == before


@pytest.mark.filterwarnings("ignore")
def test_every_method_that_hands_out_answers_is_in_the_page() -> None:
    """The page has what the installed clients declare; a method of a new version is met, or has a reason there."""
    table = runpy.run_path(str(ROOT / "tools" / "answer_methods.py"))["table"]()
    assert table in (ROOT / "docs" / "enforcement.md").read_text(encoding="utf-8")
