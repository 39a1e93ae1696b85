"""Every example runs, and shows what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from documents import ROOT
from specspan.call import ToolCall
from specspan.testing import Prompt, Reply, ScriptedModel

EXAMPLES = ROOT / "examples"
PATIENCE_S = 60


def printed(name: str, folder: Path) -> list[str]:
    """The lines of one example, talking to a scripted model, in a folder of its own."""
    with ScriptedModel(_script) as model:
        variables = {**os.environ, "OPENAI_API_KEY": model.api_key, "OPENAI_BASE_URL": model.base_url}
        finished = subprocess.run(
            [sys.executable, EXAMPLES / name],
            check=False,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.splitlines()


def _script(prompt: Prompt) -> Reply | str:
    asked = prompt.last_user
    if asked.startswith("Book"):
        first_class = "first class" in asked
        train, price = ("The sleeper", 340) if first_class else ("The early train", 39)
        return Reply(tool_calls=(ToolCall("book", {"train": train, "price": price}),))
    if "Should I" in asked:
        return "Yes, only today!"
    return "It leaves at six." if "early" in asked else "There is, every night."


def test_tools_stay_within_their_limits(tmp_path: Path) -> None:
    """What is cheap is booked; what is dear goes to a person, and the tool never runs."""
    cheap, dear = printed("guarded_tools.py", tmp_path)
    assert cheap == "The early train is booked for 39."
    assert dear.startswith("A colleague will decide about this")


def test_conversations_side_by_side_keep_apart(tmp_path: Path) -> None:
    """Each line is of its own conversation."""
    assert printed("async_chat.py", tmp_path) == ["ann: It leaves at six.", "ben: There is, every night."]


def test_decisions_go_where_they_are_sent(tmp_path: Path) -> None:
    """The exporter prints the one decision, also at the end of the program."""
    assert printed("own_exporter.py", tmp_path) == [
        '{"verdict": "violated", "action": "flag", "governing_clause": "no_pressure"}'
    ]


def test_every_example_is_listed_and_tested() -> None:
    """None is forgotten."""
    listing, tests = (EXAMPLES / "README.md").read_text(), Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f"({example.name})" in listing
        assert f'printed("{example.name}"' in tests
