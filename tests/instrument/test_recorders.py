"""Recorders and mocks that applications' tests use: with specspan they play and answer as without it.

Those that are no part of this suite's own environment are in that of `tests/environments/recorders.txt`.
"""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import bedrock_wire
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from openai_wire import Wire, completion
from policies import bound, pattern, policy
from recorded_calls import CALLS, answer_to, service

import specspan
from specspan.decision import Action, Mode
from specspan.instrument.patches import is_replaced
from specspan.testing.memory import recorded

NEEDS = "is not installed: make environments ENVIRONMENTS=recorders"
OBSERVING, ENFORCING = (
    policy(bound("never", pattern("never there"), action=Action.BLOCK), mode=mode)
    for mode in (Mode.OBSERVE, Mode.ENFORCE)
)
WITH_HTTPX = ("groq", "ollama", "cohere")
"""Clients on `httpx`, which `respx` and `pytest-httpx` stand in for. Others are on its successor, or on `urllib3`."""
NOWHERE = "http://127.0.0.1:9"

pytestmark = pytest.mark.parametrize("rules", [OBSERVING, ENFORCING], ids=["observing", "enforcing"])


@pytest.fixture
def uninstrumented() -> Iterator[None]:
    """Clients are as they were before the test, and after it."""
    specspan.uninstrument()
    yield
    specspan.uninstrument()


CLIENTS = {"converse": "bedrock", "invoke": "bedrock"}
"""Names of clients by the first word of a call, where they differ."""


@contextmanager
def spans_counted(rules: Any, name: str, expected: int = 1) -> Iterator[None]:
    """Have the client of a call instrumented; the block makes so many model calls, and each was decided."""
    client = name.partition("_")[0]
    specspan.instrument(CLIENTS.get(client, client))
    with recorded(rules) as record:
        yield
        assert [span.name for span in record.spans if "error.type" in (span.attributes or {})] == []
        assert len(record.spans) == len(record.decisions) == expected
    specspan.uninstrument()


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("recorded_with", [False, True], ids=["recorded without", "recorded with"])
@pytest.mark.table
def test_vcr(name: str, rules: Any, recorded_with: bool, tmp_path: Path) -> None:
    """A cassette that was recorded without specspan plays with it, and the other way round, to the same end."""
    vcr = pytest.importorskip("vcr", reason=f"vcrpy {NEEDS}")
    cassette, call = str(tmp_path / "cassette.yaml"), CALLS[name]

    def play(url: str, mode: str) -> Any:
        with vcr.use_cassette(cassette, record_mode=mode, match_on=("method", "path")):
            return call(url)

    with service() as url:
        expected = call(url)
        with spans_counted(rules, name) if recorded_with else nullcontext():
            assert play(url, "once") == expected
    with nullcontext() if recorded_with else spans_counted(rules, name):
        assert play(url, "none") == expected


def _answered_by_respx(respx: Any, httpx: Any) -> AbstractContextManager[Any]:
    def reply(request: Any) -> Any:
        kind, body = answer_to(request.url.path, request.content)
        return httpx.Response(200, headers={"content-type": kind}, content=body)

    router = respx.mock()
    router.post(url__regex=".*").mock(side_effect=reply)
    found: AbstractContextManager[Any] = router
    return found


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith(WITH_HTTPX)])
def test_respx(name: str, rules: Any) -> None:
    """A mocked transport's answers are handed over, and the mock has counted one request."""
    respx = pytest.importorskip("respx", reason=f"respx {NEEDS}")
    with _answered_by_respx(respx, importlib.import_module("httpx")):
        expected = CALLS[name](NOWHERE)
    with spans_counted(rules, name), _answered_by_respx(respx, importlib.import_module("httpx")) as router:
        assert CALLS[name](NOWHERE) == expected
        assert router.calls.call_count == 1


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith(WITH_HTTPX)])
def test_pytest_httpx(name: str, rules: Any, request: pytest.FixtureRequest) -> None:
    """As with any other mock of the transport; the fixture itself looks for requests that were not made."""
    pytest.importorskip("pytest_httpx", reason=f"pytest-httpx {NEEDS}")
    httpx, mocked = importlib.import_module("httpx"), request.getfixturevalue("httpx_mock")

    def reply(asked: Any) -> Any:
        kind, body = answer_to(asked.url.path, asked.read())
        return httpx.Response(200, headers={"content-type": kind}, content=body)

    mocked.add_callback(reply, is_reusable=True)
    expected = CALLS[name](NOWHERE)
    with spans_counted(rules, name):
        assert CALLS[name](NOWHERE) == expected
    assert len(mocked.get_requests()) == 2


@pytest.mark.usefixtures("uninstrumented")
def test_responses(rules: Any) -> None:
    """A model function that asks by `requests` gets what is registered."""
    responses = pytest.importorskip("responses", reason=f"responses {NEEDS}")
    requests = importlib.import_module("requests")

    @specspan.observe(model="m", provider="own")
    def ask(text: str) -> str:
        said: str = requests.post("http://model.test/ask", json={"text": text}, timeout=9).json()["text"]
        return said

    with responses.RequestsMock() as mocked, spans_counted(rules, "openai"):
        mocked.post("http://model.test/ask", json={"text": "hello"})
        assert ask("hi") == "hello"


@pytest.mark.usefixtures("uninstrumented")
def test_moto(rules: Any) -> None:
    """Other services of AWS are mocked beside a client of Bedrock's that is watched."""
    moto = pytest.importorskip("moto", reason=f"moto {NEEDS}")
    boto3 = importlib.import_module("boto3")
    with service() as url, spans_counted(rules, "converse", 2):
        assert CALLS["converse"](url) == "hello"
        with moto.mock_aws():
            bucket = boto3.client("s3", region_name="us-east-1")
            bucket.create_bucket(Bucket="bucket")
            bucket.put_object(Bucket="bucket", Key="k", Body=b"hello")
            assert bucket.get_object(Bucket="bucket", Key="k")["Body"].read() == b"hello"
        assert CALLS["invoke"](url) == 12_089


STUBBED: dict[str, tuple[dict[str, Any], Callable[[], dict[str, Any]], Callable[[Any], Any]]] = {
    "converse": (
        {"modelId": "nova", "messages": [{"role": "user", "content": [{"text": "hi"}]}]},
        lambda: bedrock_wire.answered("hello"),
        lambda answer: answer["output"]["message"]["content"][0]["text"],
    ),
    "invoke_model": (
        {"modelId": "amazon.titan", "body": json.dumps({"inputText": "hi"})},
        lambda: {"body": StreamingBody(io.BytesIO(b'{"results": []}'), 15), "contentType": "application/json"},
        lambda answer: (answer["body"].read(), isinstance(answer["body"], StreamingBody)),
    ),
    "converse_stream": (
        {"modelId": "nova", "messages": [{"role": "user", "content": [{"text": "hi"}]}]},
        lambda: {"stream": bedrock_wire.conversation(["hello"])[1]},  # botocore takes one event for a stream of them
        lambda answer: answer["stream"],
    ),
}
"""Arguments, the answer that is stubbed, and what the application reads of it, by the method."""


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("method", STUBBED)
def test_a_stubbed_client_of_botocore(method: str, rules: Any) -> None:
    """The answer is what was stubbed, whether it is of the client's own kinds or not."""
    asked, answer, read = STUBBED[method]

    def ask() -> Any:
        client = bedrock_wire._made("bedrock-runtime")
        with Stubber(client) as stubber:
            stubber.add_response(method, answer(), asked)
            found = read(getattr(client, method)(**asked))
            stubber.assert_no_pending_responses()
        return found

    expected = ask()
    with spans_counted(rules, "converse"):
        assert ask() == expected


METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "openai": ("openai.resources.chat.completions:Completions", "create", {"model": "m", "messages": []}),
    "groq": ("groq.resources.chat.completions:Completions", "create", {"model": "m", "messages": []}),
    "anthropic": ("anthropic.resources.messages:Messages", "create", {"model": "m", "messages": [], "max_tokens": 9}),
    "ollama": ("ollama:Client", "chat", {"model": "m", "messages": []}),
    "mistral": ("mistralai.client.chat:Chat", "complete", {"model": "m", "messages": []}),
    "cohere": ("cohere.v2.raw_client:RawV2Client", "chat", {"model": "m", "messages": []}),
    "google": ("google.genai.models:Models", "embed_content", {"model": "m", "contents": "hi"}),
    "bedrock": ("botocore.client:BaseClient", "_make_api_call", {"operation_name": "Converse", "api_params": {}}),
}
"""A method of each client, as its class, its name, and arguments of a call."""


@pytest.fixture(params=METHODS)
def client(request: pytest.FixtureRequest) -> str:
    """The name of a client."""
    found: str = request.param
    return found


@pytest.fixture
def method(client: str) -> tuple[Any, str, dict[str, Any]]:
    """Class, name and arguments of a method of the client."""
    place, name, asked = METHODS[client]
    module, _, kind = place.partition(":")
    pytest.importorskip(module.partition(".")[0])
    return getattr(importlib.import_module(module), kind), name, asked


def _call_patched(method: tuple[Any, str, dict[str, Any]], autospec: bool) -> tuple[Any, Any]:
    """Call a method while it is patched; return what it answered, and the mock."""
    owner, name, asked = method
    with mock.patch.object(owner, name, autospec=autospec) as mocked:
        found = getattr(owner, name)(mock.sentinel.client, **asked) if autospec else mocked(**asked)
        mocked.assert_called_once()
    return found, mocked


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("autospec", [False, True], ids=["mock", "autospec"])
@pytest.mark.table
def test_a_patched_method(client: str, method: tuple[Any, str, dict[str, Any]], autospec: bool, rules: Any) -> None:
    """Patched while specspan is at work, it is the mock, and then again what it was; no call of it is a model's."""
    owner, name, _ = method
    before = vars(owner)[name]
    specspan.instrument(client)
    during = vars(owner)[name]
    with recorded(rules) as record:
        found, mocked = _call_patched(method, autospec)
        assert record.spans == ()
    assert found is mocked.return_value
    assert vars(owner)[name] is during
    specspan.uninstrument()
    assert vars(owner)[name] is before


@pytest.mark.usefixtures("uninstrumented")
@pytest.mark.parametrize("autospec", [False, True], ids=["mock", "autospec"])
@pytest.mark.table
def test_instrumented_while_a_method_is_patched(
    client: str, method: tuple[Any, str, dict[str, Any]], autospec: bool, rules: Any
) -> None:
    """A mock in a method's place is left alone: it answers as a mock, and counts. The method is met afterwards."""
    owner, name, asked = method
    before = vars(owner)[name]
    with mock.patch.object(owner, name, autospec=autospec) as mocked:
        specspan.instrument(client)
        with recorded(rules) as record:
            found = getattr(owner, name)(*[mock.sentinel.client] * autospec, **asked)
        mocked.assert_called_once_with(*[mock.sentinel.client] * autospec, **asked)
        assert found is mocked.return_value
        assert record.spans == ()
        assert vars(owner)[name] is mocked
    assert vars(owner)[name] is before
    specspan.instrument(client)
    assert is_replaced(vars(owner)[name])
    specspan.uninstrument()
    assert vars(owner)[name] is before


@pytest.mark.usefixtures("uninstrumented")
def test_a_client_that_is_a_mock(rules: Any) -> None:
    """Mocks made from an instrumented client have its methods, and only those."""
    openai = importlib.import_module("openai")
    specspan.instrument("openai")
    with recorded(rules) as record, Wire(completion()).sync_client() as client:
        for mocked in (mock.create_autospec(client, instance=True), mock.MagicMock(spec=client)):
            mocked.chat.completions.create.return_value = "said"
            assert mocked.chat.completions.create(model="m", messages=[]) == "said"
            assert isinstance(mocked, openai.OpenAI)
            with pytest.raises(AttributeError):
                _ = mocked.no_such_method
        completions = mock.create_autospec(type(client.chat.completions), instance=True)
        with pytest.raises(TypeError, match="model"):
            completions.create(messages=[])
        assert record.spans == ()
