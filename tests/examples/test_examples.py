"""Every example runs, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_programs import EXAMPLES, printed

from specspan.sqlite import Reader


def test_tools_stay_within_their_limits(tmp_path: Path) -> None:
    """What is cheap is booked; what is dear goes to a person, and the tool never runs."""
    cheap, dear = printed("guarded_tools.py", tmp_path)
    assert cheap == "The early train is booked for 39."
    assert dear.startswith("A colleague will decide about this")


@pytest.mark.thorough
def test_conversations_side_by_side_keep_apart(tmp_path: Path) -> None:
    """Each line is of its own conversation."""
    assert printed("async_chat.py", tmp_path) == ["ann: It leaves at six.", "ben: There is, every night."]


@pytest.mark.thorough
def test_decisions_go_where_they_are_sent(tmp_path: Path) -> None:
    """The exporter prints the one decision, also at the end of the program."""
    assert printed("own_exporter.py", tmp_path) == [
        '{"verdict": "violated", "action": "flag", "governing_clause": "no_pressure"}'
    ]


@pytest.mark.thorough
def test_a_stream_of_events_is_cut_where_the_policy_says(tmp_path: Path) -> None:
    """What went before it was sent, and the reader is told why the rest does not come."""
    lines = printed("fastapi_sse.py", tmp_path, key=False)
    assert lines[-2:] == ["event: stopped", 'data: "no_pressure"']
    assert 'data: "every "' in lines
    assert "today" not in "".join(lines)
    assert 'data: "night."' in printed("fastapi_sse.py", tmp_path)


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.thorough
def test_a_graph_keeps_its_tools_within_their_limits(key: bool, tmp_path: Path) -> None:
    """With a key and without one, as the same decisions outside a graph; the runs are spans above them."""
    cheap, dear = printed("langgraph_agent.py", tmp_path, key=key)
    assert cheap == "The early train is booked for 39."
    assert dear.startswith("A colleague will decide about this")
    with Reader(tmp_path / "specspan.db") as reader:
        assert {trace.name for trace in reader.traces()} == {"invoke_workflow travel agent"}


@pytest.mark.thorough
def test_a_function_hands_over_before_it_answers(tmp_path: Path) -> None:
    """Into the only folder that it may write."""
    assert printed("lambda_handler.py", tmp_path, key=False) == ["There is one, every night at ten."]
    with Reader(tmp_path / "specspan.db") as reader:
        (trace,) = reader.traces()
    assert trace.service == "travel-desk"


@pytest.mark.thorough
def test_a_django_view_tells_which_clause_stopped_it(tmp_path: Path) -> None:
    """An answer that complies is handed over; its calls belong to the conversation of the request."""
    assert printed("django_app.py", tmp_path, key=False) == ['{"stopped": "no_pressure"}']
    assert printed("django_app.py", tmp_path) == ['{"answer": "There is, every night."}']
    with Reader(tmp_path / "specspan.db") as reader:
        spans = [span for trace in reader.traces() for span in reader.spans(trace.trace_id)]
    assert {span.attributes.get("gen_ai.conversation.id") for span in spans} == {"c-1"}


def test_a_server_of_tools_keeps_them_within_their_limits(tmp_path: Path) -> None:
    """A client of its own process asks: what is dear is not booked, and its tool does not run."""
    cheap, dear = printed("mcp_server.py", tmp_path, key=False)
    assert cheap.strip() == "The early train is booked for 39."
    assert dear.startswith("Not booked.")
    with Reader(tmp_path / "specspan.db") as reader:
        assert [record["verdict"] for record in reader.decisions()] == ["violated", "complied"]


def test_every_example_is_listed_and_tested() -> None:
    """None is forgotten."""
    listing = (EXAMPLES / "README.md").read_text()
    tests = "".join(test.read_text() for test in Path(__file__).parent.glob("*.py"))
    for example in EXAMPLES.glob("*.py"):
        assert f"({example.name})" in listing
        assert f'printed("{example.name}"' in tests
