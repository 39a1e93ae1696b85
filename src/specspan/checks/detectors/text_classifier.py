"""Models that give a text scores: one in ONNX's format in a folder, or a function. None is ever downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from specspan.checks.check import CheckConfigError
from specspan.checks.detectors.requirements import require

Scores: TypeAlias = Mapping[str, float]
"""By label, a score from 0 to 1."""
Classify: TypeAlias = Callable[[str], Scores]

WINDOW_TOKENS = 512
MAX_WINDOWS = 64
"""Most windows of a text that a model reads."""
WINDOW_CHARS = 8_000
"""Characters of which a window takes its tokens."""
_FILES = ("model.onnx", "tokenizer.json", "config.json")


def load_classifier(source: str) -> Classify:
    """Return the model behind ``source``.

    Args:
        source: a folder with ``model.onnx``, ``tokenizer.json`` and ``config.json``, as `optimum` exports models; or
            ``package.module:function`` of a function from a text to a score, or to scores by label.

    Raises:
        CheckConfigError: there is no such folder or function, or a library is missing.
    """
    return _load_function(source) if ":" in source and not Path(source).exists() else _load_model(source)


def windows(text: str) -> Iterator[str]:
    """Yield the pieces of a text that are classified one by one."""
    for start in range(0, len(text), WINDOW_CHARS):
        yield text[start : start + WINDOW_CHARS]


@dataclass(frozen=True, slots=True)
class OnnxClassifier:
    """Model of sequences with a score for each label."""

    session: Any
    tokenizer: Any
    labels: Sequence[str]
    inputs: frozenset[str]
    is_multi_label: bool

    def __call__(self, text: str) -> Scores:
        """Return the highest score of each label over the windows of a text."""
        best = dict.fromkeys(self.labels, 0.0)
        encoding = self.tokenizer.encode(text)
        for each in [encoding, *encoding.overflowing][:MAX_WINDOWS]:
            for label, score in zip(self.labels, self._scores(each), strict=True):
                best[label] = max(best[label], score)
        return best

    def _scores(self, encoding: Any) -> list[float]:
        import numpy as np

        fields = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        fed = {name: np.array([ids], dtype=np.int64) for name, ids in fields.items() if name in self.inputs}
        logits = self.session.run(None, fed)[0][0].astype(float)
        if self.is_multi_label:
            return [float(each) for each in 1 / (1 + np.exp(-logits))]
        powers = np.exp(logits - logits.max())
        return [float(each) for each in powers / powers.sum()]


@lru_cache(8)
def _load_model(folder: str) -> OnnxClassifier:
    missing = [name for name in _FILES if not (Path(folder) / name).is_file()]
    if missing:
        raise CheckConfigError(
            f"no model in {folder!r}: {', '.join(missing)} is missing, and nothing is downloaded",
            "Export one there: optimum-cli export onnx --model NAME FOLDER; or name a function as module:function.",
            "model.source",
        )
    runtime = require("onnxruntime", "onnxruntime", "a classifier", "classifier", "model.source")
    tokenizers = require("tokenizers", "tokenizers", "a classifier", "classifier", "model.source")
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        tokenizer = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        tokenizer.enable_truncation(WINDOW_TOKENS)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = runtime.InferenceSession(
            str(Path(folder) / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        labels = [config["id2label"][str(index)] for index in range(len(config["id2label"]))]
    except Exception as error:  # whatever somebody else's files make their libraries raise
        raise CheckConfigError(f"model in {folder!r}: {error}", "Export it again.", "model.source") from None
    names = frozenset(each.name for each in session.get_inputs())
    return OnnxClassifier(session, tokenizer, labels, names, config.get("problem_type") == "multi_label_classification")


def _load_function(name: str) -> Classify:
    module, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module), attribute)
    except Exception as error:  # whatever importing somebody else's module raises
        raise CheckConfigError(
            f"classifier {name!r} could not be imported: {type(error).__name__}: {error}",
            "Give package.module:function of a function from a text to a score, or to scores by label.",
            "model.source",
        ) from None

    def classify(text: str) -> Scores:
        result = function(text)
        return result if isinstance(result, Mapping) else {"score": float(result)}

    return classify
