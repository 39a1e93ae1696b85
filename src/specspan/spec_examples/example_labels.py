"""Labels that a spec itself holds: the answers that its examples call GOOD, OK or BAD."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from specspan.calibration.labels import LabelledCall, Labels
from specspan.decision import Outcome
from specspan.policy.policy import Policy
from specspan.spec.spec import Spec
from specspan.spec_examples.calls import build_calls
from specspan.spec_examples.evaluate import judged_answers


def labels_of_examples(policy: Policy) -> Labels:
    """Return the labels of all specs of a policy, under the names that clauses have in it.

    An answer of several messages is labelled at its last one, with those before as input.
    """
    digests = "\n".join(spec.digest for spec in policy.specs)
    calls = tuple(label for spec in policy.specs for label in _labels(policy, spec))
    source = ", ".join(spec.source for spec in policy.specs)
    digest = policy.spec.digest if len(policy.specs) == 1 else f"sha256:{sha256(digests.encode()).hexdigest()}"
    return Labels(source, digest, calls)


def _labels(policy: Policy, spec: Spec) -> Iterator[LabelledCall]:
    for answer in judged_answers(spec):
        calls = build_calls(answer.example, answer.compared, answer.answer)
        if calls:
            outcome = Outcome.VIOLATED if answer.verdict.label == "BAD" else Outcome.COMPLIED
            place = f"{spec.source}:{answer.example.line}"
            name = policy.authority.name(spec, answer.clause)
            yield LabelledCall(name, calls[-1], outcome, place, answer.example)
