"""Policies under which the benchmark makes its calls."""

from __future__ import annotations

from pathlib import Path


def write_policy(folder: Path, clauses: int, violated: int = 0) -> Path:
    """Write a policy of clauses with one pattern each, of which the first few match every answer; return its path."""
    names = [f"clause_{number}" for number in range(clauses)]
    sections = (f"## Clause {{#{name} authority=user}}\n\nDo as it says.\n" for name in names)
    (folder / "spec.md").write_text("# Spec {#spec}\n\n" + "\n".join(sections))
    words = ["warehouse" if number < violated else f"word{number}" for number in range(clauses)]
    bound = (
        rf"  {name}: {{checks: [{{pattern: {{stage: output, any: ['\b{word}\b']}}}}]}}"
        for name, word in zip(names, words, strict=True)
    )
    policy = folder / "policy.yaml"
    policy.write_text("\n".join(("spec: spec.md", "mode: observe", "clauses:", *bound)))
    return policy


def write_model_spec_policy(folder: Path, spec: Path, bound: int = 30) -> Path:
    """Write a policy that binds the first clauses of a spec to patterns that match no answer; return its path."""
    from specspan.spec.read import load_spec

    names = [name for name, clause in load_spec(spec).clauses.items() if clause.authority is not None][:bound]
    checks = (
        rf"  {name}: {{checks: [{{pattern: {{stage: output, any: ['\bword{number}\b']}}}}]}}"
        for number, name in enumerate(names)
    )
    policy = folder / "policy.yaml"
    policy.write_text("\n".join((f"spec: {spec}", "mode: observe", "clauses:", *checks)))
    return policy
