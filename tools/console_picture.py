"""Make the picture of the console that the README shows, from the demo's data: python tools/console_picture.py [PNG].

The demo writes a store with content, `specspan console` serves it, and a headless Chromium takes the picture of the
call in which a stream was cut.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from specspan.sqlite import Filter, Reader

DEFAULT = Path(__file__).parents[1] / "docs" / "console.png"
MAX_BYTES = 200_000
_CLAUSE = "keep_people_private"
_SIZE = {"width": 1180, "height": 1000}
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def main() -> None:
    """Write the demo's store, serve it, and take the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    specspan = str(Path(sys.executable).with_name("specspan"))
    with tempfile.TemporaryDirectory() as place:
        variables = {**os.environ, _CAPTURE: "span_only", "SPECSPAN_DB": "specspan.db", "LOGNAME": "ada"}
        subprocess.run([specspan, "demo"], cwd=place, env=variables, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        with Reader(Path(place) / "specspan.db") as reader:
            trace_id = reader.traces(Filter(clause=_CLAUSE, outcome="violated"))[0].trace_id
        command = [specspan, "console", "--port", "0"]
        console = subprocess.Popen(command, cwd=place, env=variables, stdout=subprocess.PIPE, text=True)  # noqa: S603
        try:
            line = console.stdout.readline() if console.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                sys.exit(f"the console did not start: {line}")
            take(f"{found[0]}&next=/traces/{trace_id}", target)
        finally:
            console.terminate()
            console.wait(20)
    size = target.stat().st_size
    print(f"{target}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")


def take(address: str, target: Path) -> None:
    """Take the picture of one page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _SIZE["width"], "height": _SIZE["height"]})
        page.goto(address)
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main()
