"""One trace as a tree."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from specspan.cli.trace_view import Shown, trace_tree
from specspan.sqlite.model import StoredSpan

MakeSpan = Callable[..., StoredSpan]
Make = Callable[..., dict[str, Any]]


def shown(
    spans: list[StoredSpan],
    decisions: list[dict[str, Any]] | None = None,
    policies: list[dict[str, Any]] | None = None,
    width: int = 100,
    **how: Any,
) -> list[str]:
    """The lines that a plain terminal shows, without what follows their last letter."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(trace_tree(spans, decisions or [], policies or [], Shown(**how)))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_trace_reads_from_the_question_to_the_clause(
    span: MakeSpan, finding: Make, decision: Make, monkeypatch: Any
) -> None:
    """Each span with its time; under a model call what was decided, and every clause with check, reason and place."""
    spans = [
        span("c", "b", "execute_tool refund", start_ms=30, took_ms=5, status="OK"),
        span("a", None, "answer", took_ms=1240),
        span(
            "b", "a", "chat m", start_ms=1, took_ms=820, status="ERROR", attributes={"error.type": "specspan.blocked"}
        ),
    ]
    findings = [
        finding("be_honest", "complied"),
        finding("be_brief", "overridden", check=None),
        finding("privacy", "violated", ("/output/0/parts/0", 10, 21), ("/output/1/parts/0", 0, 9), reason="ssn"),
        finding("no_advice", "not_applicable"),
        finding("ask_first", "error", reason="timeout"),
        finding("kind", "uncertain"),
        finding("sources", "pending"),
        finding("topic", "unassessed"),
    ]
    made = decision(
        "b",
        *findings,
        verdict="violated",
        action="block",
        mode="enforce",
        governing_clause="privacy",
        reason="ssn",
        overrides=[{"clause": "be_brief", "by": "developer", "granted": True, "reason": "long form"}],
    )
    policy = {
        "policy": {"digest": "sha256:p"},
        "spec": [{"digest": "sha256:s"}],
        "clauses": [{"id": "privacy"}, {"id": "humility"}, {"id": "humour"}],
    }

    lines = shown(spans, [made], [policy])

    assert lines[0].startswith("trace 4bf92f3577b34da6a3ce929d0e0e4736  1970-01-01 ")
    assert lines[0].endswith("support-desk  1.24 s  3 spans")
    assert lines[1:] == [
        "└── answer  1.24 s",
        "    └── chat m  820 ms  ERROR specspan.blocked",
        "        ├── ✘ violated · block · enforce · governed by privacy (ssn)",
        "        │   ✘ violated        privacy    developer  pattern privacy_check: ssn",
        "        │     /output/0/parts/0[10:21]",
        "        │     /output/1/parts/0[0:9]",
        "        │   ! error           ask_first  developer  pattern ask_first_check: timeout",
        "        │   ≈ uncertain       kind       developer  pattern kind_check",
        "        │   … pending         sources    developer  pattern sources_check",
        "        │   ↷ overridden      be_brief   developer",
        "        │   ? unassessed      topic      developer  pattern topic_check",
        "        │   ✔ complied        be_honest  developer  pattern be_honest_check",
        "        │   – not applicable  no_advice  developer  pattern no_advice_check",
        "        │   ? unassessed (2) humility, humour",
        "        │   ↷ override be_brief by developer granted: long form",
        "        └── execute_tool refund  5 ms  OK",
    ]


def test_in_observe_mode_the_tree_says_what_would_have_been_done(span: MakeSpan, decision: Make) -> None:
    """What happened and what enforce mode would have done are both there."""
    lines = shown([span("a", None, "chat")], [decision("a", verdict="violated", action="flag", would="block")])

    assert "✘ violated · flag, would block · observe" in lines[2]


def test_what_was_done_to_the_text_is_said(span: MakeSpan, decision: Make) -> None:
    """Redactions by place, a cut stream by what had been seen, refused overrides by whom and why."""
    made = decision(
        "a",
        redacted=["/output/0/parts/0"],
        stream={"released_chars": 1042},
        overrides=[{"clause": "c", "by": "user", "granted": False, "reason": "mine", "refusal": "top_level"}],
    )

    text = "\n".join(shown([span("a", None, "chat")], [made]))

    assert "redacted /output/0/parts/0" in text
    assert "stream cut after 1,042 characters had been seen" in text
    assert "override c by user refused: mine; top_level" in text


def test_an_explanation_is_shown_where_it_was_recorded(span: MakeSpan, finding: Make, decision: Make) -> None:
    """What a judge wrote stands under its reason."""
    made = decision("a", finding("kind", "violated", reason="curt", explanation="It answers a greeting with a demand."))

    lines = shown([span("a", None, "chat")], [made])

    assert [line.strip() for line in lines[3:]] == [
        "✘ violated  kind  developer  pattern kind_check: curt",
        "It answers a greeting with a demand.",
    ]


def test_many_quiet_clauses_share_a_line(span: MakeSpan, finding: Make, decision: Make) -> None:
    """A hundred clauses that complied do not bury the one that did not."""
    findings = [finding(f"c{n}", "complied") for n in range(99)] + [finding("privacy", "violated")]

    lines = shown([span("a", None, "chat")], [decision("a", *findings)])

    assert len(lines) < 12
    assert "✘ violated" in lines[3]
    assert "✔ complied (99) c0, c1, c2" in lines[4]


def test_a_screen_may_ask_for_short_trees(span: MakeSpan, finding: Make, decision: Make) -> None:
    """With no rows to spare, quiet clauses share a line however few they are, and loud ones keep their row."""
    findings = [finding("be_warm", "complied"), finding("be_brief", "complied"), finding("be_safe", "violated")]
    findings += [finding("be_quick", "unassessed", reason="not_reached")]
    made = decision("a", *findings)
    policy = {"policy": made["policy"], "spec": made["spec"], "clauses": [{"id": "be_quick"}, {"id": "be_kind"}]}

    lines = shown([span("a", None, "chat")], [made], [policy], most_rows=0)

    assert "✘ violated  be_safe" in lines[3]
    assert "✔ complied (2) be_warm, be_brief" in lines[4]
    assert "? unassessed (2) be_quick, be_kind" in lines[5]


def test_clauses_are_named_from_the_policy_that_was_in_force(span: MakeSpan, decision: Make) -> None:
    """Neither another policy nor the same one over another text of the spec names them; then they are only counted."""

    def policy(policy_digest: str, spec_digest: str, clause: str) -> dict[str, Any]:
        return {
            "policy": {"digest": policy_digest},
            "spec": [{"digest": spec_digest}],
            "clauses": [{"id": clause}],
        }

    wrong = [policy("sha256:x", "sha256:s", "wrong"), policy("sha256:p", "sha256:x", "wrong")]
    made = decision("a", counts={"unassessed": 3})

    right = shown([span("a", None, "chat")], [made], [*wrong, policy("sha256:p", "sha256:s", "right")])
    unknown = shown([span("a", None, "chat")], [made], wrong)

    assert right[-1].endswith("? unassessed (1) right")
    assert unknown[-1].endswith("? unassessed: 3 clauses that no check looked at")


def test_a_span_tells_its_decision_where_no_record_came(span: MakeSpan) -> None:
    """Spans of another program's export are shown from their own attributes."""
    attributes = {
        "specspan.decision.verdict": "violated",
        "specspan.decision.action": "flag",
        "specspan.decision.mode": "observe",
        "specspan.decision.governing_clause": "privacy",
        "specspan.clauses.applied": "honest privacy",
        "specspan.clauses.violated": ["privacy"],
        "specspan.clauses.errored": ["ask_first"],
        "specspan.clause.sources": "pending",
        "specspan.clauses.unassessed": 4,
        "specspan.clauses.complied": 1,
    }

    lines = shown([span("a", None, "chat", attributes=attributes)])

    assert [line.strip(" │└─") for line in lines[2:]] == [
        "✘ violated · flag · observe · governed by privacy",
        "✘ violated  privacy",
        "! error     ask_first",
        "… pending   sources",
        "✔ complied  honest",
        "? unassessed: 4 clauses that no check looked at",
    ]


def test_a_span_that_counts_what_complied_says_how_many(span: MakeSpan) -> None:
    """Clauses that complied are a number where nobody asked for each of them."""
    attributes = {"specspan.decision.verdict": "complied", "specspan.clauses.complied": 7}

    assert shown([span("a", None, "chat", attributes=attributes)])[-1].endswith("✔ complied: 7 clauses")


def test_a_decision_that_stands_below_its_call_is_shown_once(span: MakeSpan, decision: Make) -> None:
    """The record stands at the call that somebody else traced; the span of the decision repeats none of it."""
    record = decision("a", verdict="violated")
    own = {"specspan.decision.id": record["id"], "specspan.decision.verdict": "violated"}
    lines = shown([span("a", None, "chat"), span("b", "a", "specspan.decision", attributes=own)], [record])

    assert [line for line in lines if "✘ violated" in line] == [line for line in lines[2:4] if "✘ violated" in line]
    assert sum("✘ violated" in line for line in lines) == 1


def test_a_decision_outlives_its_span(span: MakeSpan, decision: Make) -> None:
    """A decision whose span was sampled away is still shown."""
    lines = shown([span("a", None, "answer")], [decision("b", verdict="violated")])

    assert "decision without its span" in lines[2]
    assert "✘ violated" in lines[3]


def test_where_a_trace_goes_to_another_service_it_is_named(span: MakeSpan) -> None:
    """Of several services each is named where it begins; of one, the heading says it."""
    spans = [
        span("a", None, "ask", service="gateway"),
        span("b", "a", "send", start_ms=1, service="gateway"),
        span("c", "b", "process", start_ms=2, service="agent"),
        span("d", "c", "answer", start_ms=3, service="agent"),
    ]

    heading, *lines = shown(spans)
    assert "agent, gateway" in heading
    assert [line.split()[-1] for line in lines] == ["gateway", "ms", "agent", "ms"]
    assert [line for line in shown(spans[:2])[1:] if "gateway" in line] == []


def test_odd_shapes_are_shown_whole(span: MakeSpan) -> None:
    """A missing parent, a circle of parents and a chain deeper than Python's stack lose no span."""
    odd = [span("a", "gone", "orphan"), span("b", "c", "round"), span("c", "b", "about")]
    deep = [span(f"{n}", f"{n - 1}" if n else None, f"level{n}") for n in range(2_000)]

    assert {"orphan", "round", "about"} <= set(" ".join(shown(odd)).split())
    assert "level1999" in " ".join(shown(deep, width=10_000))


def test_no_name_can_steer_the_terminal(span: MakeSpan, finding: Make, decision: Make) -> None:
    """Control characters, markup and text-direction marks are shown, not obeyed."""
    evil = "\x1b]0;owned\x07[bold]\u202e\ud800"
    text = "\n".join(
        shown([span("a", None, evil, service=evil)], [decision("a", finding(evil, "violated", reason=evil))])
    )

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b]0;owned\x07[bold]\u202e\ud800" in text


def test_a_narrow_terminal_breaks_lines_between_facts(span: MakeSpan, finding: Make, decision: Make) -> None:
    """No id, number or place is torn: what does not fit goes on below, indented."""
    clause = "be_honest_about_what_was_done_and_what_was_not"
    made = decision("a", finding(clause, "violated", ("/output/0/parts/0", 10, 21)), governing_clause=clause)

    for width in (56, 60, 80):
        words = " ".join(shown([span("a", None, "answer a customer")], [made], width=width)).split()
        assert {clause, "/output/0/parts/0[10:21]", "support-desk"} <= set(words)


def test_violations_alone_keep_the_spans_above_them(span: MakeSpan, finding: Make, decision: Make) -> None:
    """Neither the calls that complied nor the clauses that did are in the way."""
    spans = [span("a", None, "answer"), span("b", "a", "chat one"), span("c", "a", "chat two")]
    good = decision("b", finding("kind", "complied"))
    bad = decision("c", finding("kind", "violated"), finding("brief", "complied"), verdict="violated")

    lines = shown(spans, [good, bad], only_violated=True)

    text = "\n".join(lines[1:])
    assert all(word in text for word in ("answer", "chat two", "✘ violated  kind"))
    assert not any(word in text for word in ("chat one", "brief"))


def test_a_long_trace_says_how_many_spans_are_left_out(span: MakeSpan) -> None:
    """The first ones are shown, the rest is counted."""
    spans = [span("a", None, "run")] + [span(f"s{n}", "a", f"step {n}", start_ms=n) for n in range(9)]

    lines = shown(spans, most_spans=4)

    assert [line.strip("├└─│ ") for line in lines[1:]] == [
        "run  10 ms",
        "step 0  10 ms",
        "step 1  10 ms",
        "step 2  10 ms",
        "… 6 spans more; --limit or --all shows them",
    ]
