"""Lines of each provider's adapter and of what they share: python tools/adapter_lines.py FOLDER, that of instrument/.

A provider is its module and those it is made of, named after it: ``openai.py`` and ``_openai_chat.py``. The rest under
``providers/`` reads a wire format that several of them speak.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

SHARED = ("adapter", "wrapper", "lifecycle", "flow", "streams", "managers", "install")


def by_provider(folder: Path) -> dict[str, dict[str, int]]:
    """Lines of each module, by the provider it belongs to; those of several under ``(shared formats)``."""
    paths = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    names = [path.stem for path in paths if not path.stem.startswith("_")]
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for path in paths:
        owner = next((name for name in names if path.stem.lstrip("_").split("_")[0] == name), "(shared formats)")
        found[owner][path.stem] = lines_of(path)
    return dict(found)


def lines_of(path: Path) -> int:
    """All of them: comments and docstrings are to be read, too."""
    return len(path.read_text(encoding="utf-8").splitlines())


def main(folder: Path) -> None:
    print("lines per provider adapter")
    for provider, modules in sorted(by_provider(folder / "providers").items()):
        each = ", ".join(f"{name} {count}" for name, count in sorted(modules.items()))
        print(f"  {provider:18}{sum(modules.values()):6}  {each}")
    shared = {name: lines_of(folder / f"{name}.py") for name in SHARED}
    each = ", ".join(f"{name} {count}" for name, count in shared.items())
    print(f"  {'the one wrapper':18}{sum(shared.values()):6}  {each}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
