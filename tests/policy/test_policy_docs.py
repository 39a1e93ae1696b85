"""What `docs/policy.md` and `docs/policy-layers.md` show is what happens."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from specspan.decision import Action, Mode, Severity
from specspan.errors import PolicyError
from specspan.policy.load import DEFAULT_REPLACEMENT, load_policy

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text(encoding="utf-8")
LAYERS_PAGE = (DOCS / "policy-layers.md").read_text(encoding="utf-8")
SPEC = """\
# Support {#support}

## Protect account numbers {#protect_account_numbers authority=root}

## Stay polite {#stay_polite authority=user}

## Be concise {#be_concise authority=developer}
"""


def block(language: str, page: str = PAGE) -> str:
    """The one block of a language in a page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(found)


@pytest.fixture(autouse=True)
def support(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with the spec that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("support.md").write_text(SPEC)


def test_the_example_loads() -> None:
    """Every key in it means what the table says."""
    Path("policy.yaml").write_text(block("yaml"))
    policy = load_policy("policy.yaml")
    numbers, polite, concise = policy.clauses.values()
    assert (numbers.severity, numbers.action, len(numbers.checks)) == (Severity.CRITICAL, Action.REPLACE, 1)
    assert (polite.severity, polite.action, polite.checks) == (Severity.LOW, Action.FLAG, ())
    assert concise.replacement == DEFAULT_REPLACEMENT
    assert f"`{DEFAULT_REPLACEMENT}`" in PAGE


def test_the_refusal_is_what_is_printed() -> None:
    """The two mistakes the page shows are told in just these words."""
    broken = (
        block("yaml").replace("protect_account_numbers", "protect_account_number").replace("by: developer", "by: user")
    )
    Path("policy.yaml").write_text(broken)
    with pytest.raises(PolicyError) as refused:
        load_policy("policy.yaml")
    assert f"{refused.value}\n" == block("text")


def write_layers() -> None:
    """The two files of the page about layers."""
    for name in ("base.yaml", "policy.yaml"):
        Path(name).write_text(block(f"yaml {name}", LAYERS_PAGE))


def test_the_layers_hold_as_told() -> None:
    """In production both checks and an action of its own; in staging everything is observed."""
    write_layers()
    production = load_policy("policy.yaml", environment="production")
    numbers, polite = production.clauses.values()
    assert (production.mode, polite.action) == (Mode.ENFORCE, Action.BLOCK)
    assert [binding.check.ref.name for binding in numbers.checks] == ["account_number", "iban"]
    staging = load_policy("policy.yaml", environment="staging")
    assert (staging.mode, staging.clauses["stay_polite"].action) == (Mode.OBSERVE, Action.FLAG)


def test_the_digest_can_be_made_by_hand() -> None:
    """As the page says, with nothing but SHA-256."""
    write_layers()
    digests = [f"sha256:{sha256(Path(name).read_bytes()).hexdigest()}\n" for name in ("base.yaml", "policy.yaml")]
    made = sha256("".join([*digests, "environment: production\n"]).encode()).hexdigest()
    assert load_policy("policy.yaml", environment="production").digest == f"sha256:{made}"


def test_a_refusal_names_the_file_below() -> None:
    """The mistake that the page shows is told in just these words."""
    write_layers()
    base = Path("base.yaml")
    base.write_text(base.read_text().replace("protect_account_numbers", "protect_account_number"))
    with pytest.raises(PolicyError) as refused:
        load_policy("policy.yaml")
    assert f"{refused.value}\n" == block("text", LAYERS_PAGE)


def test_a_few_clauses_are_enforced_as_told() -> None:
    """The example of the page about enforcement, under the spec of this page."""
    page = (DOCS / "enforcement.md").read_text(encoding="utf-8").partition("## Holding back")[0]
    Path("policy.yaml").write_text("spec: support.md\n" + block("yaml", page))
    policy = load_policy("policy.yaml")
    assert policy.mode_of("protect_account_numbers") is Mode.ENFORCE
    assert policy.mode_of("be_concise") is Mode.OBSERVE
