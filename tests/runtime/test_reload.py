"""A policy's files change while the application runs: what is in force, what is recorded, what is counted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from thorough import examples

import specspan
from specspan._support import drop_counts
from specspan._support.files import record_file_reads
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.decision import Decision, Mode
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.errors import ConfigurationError
from specspan.instrument.gate import active
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.record.policy_reloads import PolicyReloadMetrics
from specspan.runtime.configuration import current_configuration
from specspan.runtime.reload import PolicyReloader, PollResult

SPEC = """\
# Manners {#manners}

## Be kind {#be_kind authority=user}

Say nothing rude.
"""
FIRST = """\
spec: manners.md
mode: enforce
clauses:
  be_kind:
    action: block
    checks:
      - pattern: {stage: output, any: ['aaa'], reason: first}
"""
SECOND = FIRST.replace("aaa", "bbb").replace("first", "other")
BROKEN = FIRST.replace("be_kind", "be_kin")
NEVER_S = 3600


@dataclass
class Kept:
    """A decision exporter that keeps records, and says when one of a kind came."""

    records: list[Mapping[str, Any]] = field(default_factory=list)
    reloaded: threading.Event = field(default_factory=threading.Event)

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records.extend(records)
        if sum(record["type"] == "policy" for record in self.records) > 1:
            self.reloaded.set()

    def shutdown(self) -> None:
        """Nothing to let go of."""


@pytest.fixture(autouse=True)
def files(nothing_configured: None) -> None:
    """A spec and a policy in the current directory."""
    Path("manners.md").write_text(SPEC)
    Path("policy.yaml").write_text(FIRST)


class Metrics:
    """What ``specspan.policy.*`` metrics say, of a provider of its own."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def __call__(self) -> dict[str, dict[Any, Any]]:
        """Values by the values of their attributes, by metric, as collected now."""
        data = self._reader.get_metrics_data()
        scopes = [scope for each in (data.resource_metrics if data else ()) for scope in each.scope_metrics]
        return {
            metric.name: {tuple((each.attributes or {}).values()): each.value for each in metric.data.data_points}  # type: ignore[union-attr]  # counters and gauges alone
            for scope in scopes
            for metric in scope.metrics
            if metric.name.startswith("specspan.policy.")
        }


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """Nothing is configured with it yet."""
    found = Metrics()
    yield found
    found.provider.shutdown()


def configured(**more: Any) -> Kept:
    """Put the policy to work with reload, the thread never due, and no exporter but the one that is returned."""
    kept = Kept()
    given = {"policy": "policy.yaml", "reload": NEVER_S, "decision_exporters": [kept], **more}
    specspan.configure(**given)
    return kept


def poll() -> PollResult:
    """What the thread would do."""
    what = current_configuration()
    assert what is not None
    assert what.watcher is not None
    looked = what.watcher.poll()
    assert isinstance(looked, PollResult)
    return looked


def settle() -> PollResult:
    """Look until the files stand still: once to see a change, once to read it."""
    assert poll() is PollResult.CHANGING
    return poll()


def engine() -> Engine:
    pipeline = active()
    assert pipeline is not None
    assert pipeline.engine is not None
    return pipeline.engine


def decided(text: str, by: Engine | None = None) -> Decision:
    evaluation = (by or engine()).open()
    request = Request("test", input=(Message("user", (Text("hello"),)),))
    run_sync(evaluation.output(ModelCall(request, Response(output=(Message("assistant", (Text(text),)),)))))
    return evaluation.decide()


def in_force() -> str | None:
    """Reason of the check that finds something in a text that both policies' checks find something in."""
    return decided("aaa bbb").reason


def test_a_changed_policy_decides_calls_from_then_on() -> None:
    """The next call is decided by what the file holds now; a policy record of it comes before its decisions."""
    kept = configured()
    assert poll() is PollResult.UNCHANGED
    Path("policy.yaml").write_text(SECOND)
    assert in_force() == "first"
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"
    assert poll() is PollResult.UNCHANGED
    assert specspan.force_flush()
    assert [(record["type"], record["policy"]["digest"]) for record in kept.records] == [
        ("policy", load_digest(FIRST)),
        ("policy", load_digest(SECOND)),
    ]


def load_digest(text: str) -> str:
    path = Path("copy.yaml")
    path.write_text(text)
    return load_policy(path).digest


def test_calls_under_way_finish_under_the_policy_they_began_with() -> None:
    """A call that was open when the policy changed has the old policy's decision, and names its digest."""
    configured()
    before = engine()
    under_way = before.open()
    Path("policy.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    request = Request("test", input=(Message("user", (Text("hello"),)),))
    run_sync(under_way.output(ModelCall(request, Response(output=(Message("assistant", (Text("aaa"),)),)))))
    decision = under_way.decide()
    assert (decision.reason, decision.policy_digest) == ("first", before.policy.digest)
    assert decided("aaa").policy_digest != before.policy.digest


def test_a_broken_policy_leaves_the_old_one_in_force(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused once, logged once and counted once however often it is looked at; mended, it is in force."""
    kept = configured(meter_provider=metrics.provider)
    assert metrics() == {"specspan.policy.stale": {(): 0}}
    Path("policy.yaml").write_text(BROKEN)
    with caplog.at_level(logging.INFO, "specspan"):
        assert settle() is PollResult.REFUSED
        assert [poll() for _ in range(5)] == [PollResult.UNCHANGED] * 5
    assert in_force() == "first"
    assert metrics() == {"specspan.policy.stale": {(): 1}, "specspan.policy.reload": {("refused",): 1}}
    (logged,) = caplog.messages
    assert "policy.yaml:4: clauses.be_kin: manners has no clause 'be_kin'. Did you mean 'be_kind'?" in logged
    assert specspan.force_flush(10)
    (refusal,) = [record for record in kept.records if record["type"] == "policy_refusal"]
    assert "Did you mean 'be_kind'?" in refusal["reason"]
    Path("policy.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"
    assert metrics() == {"specspan.policy.stale": {(): 0}, "specspan.policy.reload": {("refused",): 1, ("ok",): 1}}


def test_what_is_broken_and_comes_back_as_it_was_is_stale_no_more(metrics: Metrics) -> None:
    """Putting the old text back mends it, too."""
    configured(meter_provider=metrics.provider)
    Path("policy.yaml").write_text(BROKEN)
    assert settle() is PollResult.REFUSED
    Path("policy.yaml").write_text(FIRST)
    assert settle() is PollResult.RELOADED
    assert metrics()["specspan.policy.stale"] == {(): 0}
    assert in_force() == "first"


def _in_place(text: str) -> None:
    Path("policy.yaml").write_text(text)


def _renamed(text: str) -> None:
    Path("policy.yaml~").write_text(text)
    os.replace("policy.yaml~", "policy.yaml")  # noqa: PTH105 - as editors do it


def _moved_away_first(text: str) -> None:
    Path("policy.yaml").rename("policy.yaml.bak")
    Path("policy.yaml").write_text(text)


def _as_old_as_before(text: str) -> None:
    before = Path("policy.yaml").stat()
    Path("policy.yaml").write_text(text)
    os.utime("policy.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))


def _older(text: str) -> None:
    Path("policy.yaml").write_text(text)
    os.utime("policy.yaml", ns=(0, 0))


@pytest.mark.parametrize("write", [_in_place, _renamed, _moved_away_first, _as_old_as_before, _older])
def test_every_way_of_writing_a_file_is_noticed(write: Callable[[str], None]) -> None:
    """In place, by renaming, with the time of the old file or an older one: the size is the same in all."""
    configured()
    assert poll() is PollResult.UNCHANGED
    assert len(FIRST) == len(SECOND)
    write(SECOND)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"


def test_a_link_that_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    """Configuration that is mounted is swapped by turning a link to another folder."""
    for name, text in (("v1", FIRST), ("v2", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
        (tmp_path / name / "manners.md").write_text(SPEC)
    current = tmp_path / "current"
    current.symlink_to("v1")
    configured(policy=current / "policy.yaml")
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").replace(current)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"


def test_writing_the_same_again_changes_nothing(metrics: Metrics) -> None:
    """A file that was touched, or written with the same text, is not loaded again."""
    configured(meter_provider=metrics.provider)
    before = engine()
    _renamed(FIRST)
    assert [poll(), poll()] == [PollResult.UNCHANGED] * 2
    os.utime("policy.yaml")
    assert poll() is PollResult.UNCHANGED
    assert engine() is before
    assert "specspan.policy.reload" not in metrics()


def test_half_a_file_is_never_in_force() -> None:
    """A file is read once two looks find the same: half of it may be a policy, too, with fewer clauses."""
    configured()
    half = SECOND[: SECOND.index("clauses:")]
    for text in (half, half + "clauses:\n", SECOND):
        Path("policy.yaml").write_text(text)
        assert poll() is PollResult.CHANGING
        assert in_force() == "first"
    assert poll() is PollResult.RELOADED
    assert in_force() == "other"


def test_a_text_that_was_taken_back_must_stand_still_anew() -> None:
    """Seen, gone and there again is no standing still."""
    configured()
    for text, looked in ((SECOND, PollResult.CHANGING), (FIRST, PollResult.UNCHANGED), (SECOND, PollResult.CHANGING)):
        Path("policy.yaml").write_text(text)
        assert poll() is looked
    assert poll() is PollResult.RELOADED


TEXTS = {"first": FIRST, "other": SECOND, "broken": BROKEN, "half": SECOND[: SECOND.index("  be_kind")], "gone": None}


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(TEXTS)), st.integers(0, 3)), max_size=8))
def test_in_force_is_the_last_policy_that_stood_still(steps: list[tuple[str, int]]) -> None:
    """Whatever is written, and however often it is looked at in between: no other policy ever decides."""
    Path("policy.yaml").write_text(FIRST)
    held = Held(lambda: load_policy("policy.yaml"))
    seen = tried = in_force = "first"
    for name, looks in steps:
        text = TEXTS[name]
        Path("policy.yaml").unlink(missing_ok=True)
        if text is not None:
            Path("policy.yaml").write_text(text)
        for _ in range(looks):
            looked = held.reloader.poll()
            stood_still, seen = seen == name, name
            if tried != name and stood_still:
                tried = name
                usable = name in ("first", "other", "half")
                in_force = name if usable else in_force
                assert looked is (PollResult.RELOADED if usable else PollResult.REFUSED)
            else:
                assert looked is (PollResult.UNCHANGED if tried == name else PollResult.CHANGING)
    taken = held.taken[-1].policy.digest if held.taken else load_digest(FIRST)
    assert taken == load_digest(TEXTS[in_force] or "")


def test_a_file_that_is_away_for_a_moment_is_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    """Between the two steps of an editor's rename there is no file; nothing is refused for that."""
    configured()
    Path("policy.yaml").rename("policy.yaml.bak")
    assert poll() is PollResult.CHANGING
    Path("policy.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert caplog.messages == []


def test_a_deleted_file_leaves_its_policy_in_force(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused as any other policy that cannot be read, until it is back."""
    configured(meter_provider=metrics.provider)
    Path("policy.yaml").unlink()
    assert settle() is PollResult.REFUSED
    assert "no such file" in caplog.text
    assert (in_force(), metrics()["specspan.policy.stale"]) == ("first", {(): 1})
    Path("policy.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert (in_force(), metrics()["specspan.policy.stale"]) == ("other", {(): 0})


def test_the_spec_is_watched_too() -> None:
    """A new text of the spec is in force with its own digest."""
    configured()
    before = engine().policy.spec.digest
    Path("manners.md").write_text(SPEC + "\nNor unkind.\n")
    assert settle() is PollResult.RELOADED
    assert engine().policy.spec.digest != before
    assert in_force() == "first"


def test_a_spec_that_is_not_the_pinned_one_is_refused() -> None:
    """A pin holds on reload as it does at the start."""
    Path("policy.yaml").write_text(
        FIRST.replace("manners.md", f"{{path: manners.md, digest: '{load_policy('policy.yaml').spec.digest}'}}")
    )
    configured()
    Path("manners.md").write_text(SPEC + "\nNor unkind.\n")
    assert settle() is PollResult.REFUSED
    assert in_force() == "first"
    Path("manners.md").write_text(SPEC)
    assert settle() is PollResult.RELOADED


def test_the_files_that_a_policy_extends_are_watched_too() -> None:
    """A change of the base changes what is in force, and files that are extended only now are watched from now on."""
    Path("base.yaml").write_text(FIRST)
    Path("policy.yaml").write_text("extends: base.yaml\n")
    configured()
    Path("base.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"
    Path("other.yaml").write_text(FIRST)
    Path("policy.yaml").write_text("extends: other.yaml\n")
    assert [poll() for _ in range(3)] == [PollResult.CHANGING, PollResult.CHANGING, PollResult.RELOADED]
    Path("base.yaml").unlink()
    assert poll() is PollResult.UNCHANGED
    Path("other.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"


def test_half_a_file_that_is_named_only_now_is_never_in_force() -> None:
    """A policy and a file that it newly extends are written at the same time: each must stand still."""
    configured()
    Path("base.yaml").write_text(SECOND[: SECOND.index("  be_kind")])
    Path("policy.yaml").write_text("extends: base.yaml\n")
    assert settle() is PollResult.CHANGING
    Path("base.yaml").write_text(SECOND)
    assert poll() is PollResult.CHANGING
    assert in_force() == "first"
    assert poll() is PollResult.RELOADED
    assert in_force() == "other"


def test_a_file_that_only_a_refused_policy_names_is_waited_for() -> None:
    """A policy may come before its new spec: once that is there, both are in force."""
    configured()
    Path("policy.yaml").write_text(SECOND.replace("manners.md", "new.md"))
    assert [poll() for _ in range(4)] == [
        PollResult.CHANGING,
        PollResult.CHANGING,
        PollResult.REFUSED,
        PollResult.UNCHANGED,
    ]
    Path("new.md").write_text(SPEC)
    assert settle() is PollResult.RELOADED
    assert in_force() == "other"


def test_mode_and_environment_hold_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `configure` was told holds for every policy that is loaded later, wherever the program works by then."""
    environments = "environments: {production: {clauses: {be_kind: {severity: high}}}}\n"
    Path("policy.yaml").write_text(FIRST + environments)
    configured(mode="observe", environment="production")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "policy.yaml").write_text(SECOND + environments)
    assert settle() is PollResult.RELOADED
    policy = engine().policy
    assert (policy.mode, policy.environment, in_force()) == (Mode.OBSERVE, "production", "other")


def test_silenced_telemetry_still_comes_to_enforce(monkeypatch: pytest.MonkeyPatch) -> None:
    """With OTEL_SDK_DISABLED, a policy that observed and now enforces is enforced."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    Path("policy.yaml").write_text(FIRST.replace("enforce", "observe"))
    configured()
    Path("policy.yaml").write_text(SECOND)
    assert settle() is PollResult.RELOADED
    assert decided("bbb").action == "block"


def test_after_another_configure_nothing_of_the_first_is_reloaded() -> None:
    """A look that is under way when something else is configured changes nothing there."""
    configured()
    what = current_configuration()
    assert what is not None
    assert what.watcher is not None
    Path("other.yaml").write_text(FIRST.replace("first", "fresh"))
    configured(policy="other.yaml", reload=None)
    Path("policy.yaml").write_text(SECOND)
    assert [what.watcher.poll(), what.watcher.poll()] == [PollResult.CHANGING, PollResult.RELOADED]
    assert in_force() == "fresh"


def test_after_shutdown_there_is_no_thread_and_no_gauge(metrics: Metrics) -> None:
    """The application's meter outlives specspan: it is told nothing more."""
    configured(meter_provider=metrics.provider)
    assert [thread for thread in threading.enumerate() if thread.name == "specspan-policy-reload"]
    specspan.shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name == "specspan-policy-reload"]
    metrics()  # what shutting down collected
    assert metrics() == {}


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_change_is_found_without_being_asked_for(by_variable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread notices by itself; an argument or the variable starts it."""
    if by_variable:
        monkeypatch.setenv("SPECSPAN_POLICY_RELOAD", "0.01s")
    kept = configured(reload=None if by_variable else 0.01)
    Path("policy.yaml").write_text(SECOND)
    assert kept.reloaded.wait(30)
    assert in_force() == "other"


def test_without_being_asked_nothing_is_watched() -> None:
    """By default, and where code says no, no thread is started."""
    configured(reload=None)
    what = current_configuration()
    assert what is not None
    assert what.watcher is None


def test_code_says_no_to_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """``reload=False`` goes before SPECSPAN_POLICY_RELOAD; a policy loaded by the application has no file to watch."""
    monkeypatch.setenv("SPECSPAN_POLICY_RELOAD", "true")
    for more in ({"reload": False}, {"reload": None, "policy": load_policy("policy.yaml")}):
        configured(**more)
        what = current_configuration()
        assert what is not None
        assert what.watcher is None


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        ({"policy": None, "reload": True}, "configure.reload=….: missing file to watch. Give 'policy'"),
        ({"reload": 0}, "invalid interval 0. Give seconds, more than 0 and at most a day"),
        ({"reload": -1.0}, "invalid interval -1.0"),
        ({"reload": float("nan")}, "invalid interval nan"),
    ],
)
def test_misuse_is_refused(misuse: dict[str, Any], said: str) -> None:
    """Reloading nothing, or at no interval, is told what to give instead."""
    with pytest.raises(ConfigurationError, match=said):
        configured(**misuse)
    assert active() is None


def test_a_loaded_policy_cannot_be_loaded_again() -> None:
    """A policy that the application made has no file; asking for its reload is misuse."""
    with pytest.raises(ConfigurationError, match="missing file to watch"):
        configured(policy=load_policy("policy.yaml"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_worker_watches_for_itself() -> None:
    """A server that forks its workers after it configured has a thread in each of them."""
    configured()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            names = [thread.name for thread in threading.enumerate() if thread.is_alive()]
            status = 0 if names.count("specspan-policy-reload") == 1 else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@dataclass
class Held:
    """A reloader over a load of the test's own, and what it put in force."""

    load: Callable[[], Policy]
    taken: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        with record_file_reads() as read:
            load_policy("policy.yaml")
        self.reloads = PolicyReloadMetrics(None)
        self.reloader = PolicyReloader(self.load, read, self.taken.append, self.reloads)


def test_what_changes_while_it_is_read_is_read_again() -> None:
    """Written between the look and the reading: nobody saw that text stand still, so it is not put in force."""
    texts = iter([SECOND.replace("other", "torn1"), SECOND])

    def load() -> Policy:
        Path("policy.yaml").write_text(next(texts))
        return load_policy("policy.yaml")

    held = Held(load)
    Path("policy.yaml").write_text(SECOND)
    assert [held.reloader.poll() for _ in range(2)] == [PollResult.CHANGING] * 2
    assert held.taken == []
    Path("policy.yaml").write_text(SECOND)
    assert [held.reloader.poll(), len(held.taken)] == [PollResult.RELOADED, 1]


def test_whatever_loading_raises_the_old_policy_stays(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure of our own, or of somebody's plug-in, is counted as internal besides, and ends no thread."""

    def load() -> Policy:
        if Path("policy.yaml").read_text() == FIRST:
            return load_policy("policy.yaml")
        raise RuntimeError("a plug-in broke")

    held = Held(load)
    before = drop_counts.totals().get(("internal", "runtime.reload"), 0)
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    Path("policy.yaml").write_text(SECOND)
    assert [held.reloader.poll() for _ in range(3)] == [PollResult.CHANGING, PollResult.REFUSED, PollResult.UNCHANGED]
    assert held.taken == []
    assert drop_counts.totals()[("internal", "runtime.reload")] == before + 1
    assert any(message.endswith("\nRuntimeError: a plug-in broke") for message in caplog.messages)
    Path("policy.yaml").write_text(FIRST)
    assert [held.reloader.poll() for _ in range(2)] == [PollResult.CHANGING, PollResult.RELOADED]
