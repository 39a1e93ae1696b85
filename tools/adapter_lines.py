"""Lines of each provider's adapter and of what they share: python tools/adapter_lines.py FOLDER, that of instrument/.

A provider is one module under ``providers/``, or a folder of modules. The modules under ``formats/`` read wire formats
that several providers speak.
"""

from __future__ import annotations

import sys
from pathlib import Path

SHARED = ("adapter", "wrapper", "live_call", "streamed_call", "stream_proxies", "install")


def by_provider(folder: Path) -> dict[str, dict[str, int]]:
    """Return the lines of each module, by provider; ``folder`` is that of the providers."""
    lines = {
        path.stem: {path.stem: count_lines(path)} for path in sorted(folder.glob("*.py")) if path.stem != "__init__"
    }
    for init in sorted(folder.glob("*/__init__.py")):
        lines[init.parent.name] = lines_of_folder(init.parent)
    return lines


def lines_of_folder(folder: Path) -> dict[str, int]:
    """Return the lines of each module of one folder."""
    return {path.stem: count_lines(path) for path in sorted(folder.glob("*.py"))}


def count_lines(path: Path) -> int:
    """Return the number of lines of a module, comments and docstrings included: they are read, too."""
    return len(path.read_text(encoding="utf-8").splitlines())


def print_row(name: str, modules: dict[str, int]) -> None:
    """Print one provider's total, then its modules."""
    each = ", ".join(f"{module} {count}" for module, count in sorted(modules.items()))
    print(f"  {name:18}{sum(modules.values()):6}  {each}")


def main(folder: Path) -> None:
    """Print the lines of each provider, of the shared formats, and of the wrapper."""
    print("lines per provider adapter")
    for provider, modules in sorted(by_provider(folder / "providers").items()):
        print_row(provider, modules)
    print_row("(shared formats)", lines_of_folder(folder / "formats"))
    print_row("the one wrapper", {name: count_lines(folder / f"{name}.py") for name in SHARED})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
