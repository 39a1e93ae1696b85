"""What stands for an object of somebody else's: to ``isinstance`` and in every attribute it is that object."""

from __future__ import annotations

from typing import Any

import wrapt

# `wrapt.ObjectProxy` has ``__iter__`` whatever it stands for; the newer base has not
ObjectProxy: Any = getattr(wrapt, "BaseObjectProxy", wrapt.ObjectProxy)
