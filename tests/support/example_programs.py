"""Examples as programs: each in a folder of its own, with a scripted model in place of the service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from specspan.call import ToolCall
from specspan.testing import Prompt, Reply, ScriptedModel

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 60


def printed(name: str, folder: Path, *, key: bool = True) -> list[str]:
    """The lines of one example in a folder of its own, talking to a scripted model; without a key, to its own."""
    with ScriptedModel(_script) as model:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        service = {"OPENAI_API_KEY": model.api_key, "OPENAI_BASE_URL": model.base_url} if key else {}
        variables = {**clean, **service, "TMPDIR": str(folder)}
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
