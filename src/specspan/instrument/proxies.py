"""Base of proxies that are the wrapped object to ``isinstance`` and in every attribute."""

from __future__ import annotations

from typing import Any

import wrapt

# `wrapt.ObjectProxy` has ``__iter__`` whatever it wraps; the newer base has not
ObjectProxy: Any = getattr(wrapt, "BaseObjectProxy", wrapt.ObjectProxy)
