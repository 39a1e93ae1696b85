"""Writer of the catalogue of published specs: python tools/catalogue.py FOLDER, where the texts are by version.

It keeps facts only: digests, ids and levels of authority, no text.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from specspan.spec.catalogue import describe
from specspan.spec.read import load_spec

COMMITS = {
    "2025-02-12": "fc9366e",
    "2025-04-11": "095dabb",
    "2025-09-12": "49e51d7",
    "2025-10-27": "bda3e4c",
    "2025-12-18": "2e1ebe3",
    "2025-12-18-rev2": "8d2405d",
}
"""Commits of the public repository openai/model_spec, by version."""

TARGET = Path(__file__).parents[1] / "src" / "specspan" / "spec" / "published"


def text(folder: Path, version: str) -> str:
    """Return the text of the file of one edition."""
    path = folder / f"{version}.md"
    url = f"openai/model_spec/{COMMITS[version]}/model_spec.md"
    size_bytes = path.stat().st_size
    facts = describe(load_spec(path), version=version, date=version[:10], size_bytes=size_bytes, url=url)
    clauses = ",\n".join(f"    {json.dumps(id_)}: {json.dumps(each)}" for id_, each in facts.pop("clauses").items())
    return json.dumps(facts, indent=2).removesuffix("\n}") + f',\n  "clauses": {{\n{clauses}\n  }}\n}}\n'


if __name__ == "__main__":
    for known in COMMITS:
        name = f"openai-model-spec@{known}.json"
        (TARGET / name).write_text(text(Path(sys.argv[1]), known), encoding="utf-8")
        print(name)
