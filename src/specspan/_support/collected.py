"""What is done once an object has been let go of, which the garbage collector may notice anywhere.

CPython before 3.12 collects in the middle of ``ContextVar.set``, and crashes there if what is done then sets a
variable of the same context (https://github.com/python/cpython/issues/148891), as exporters of spans do. So it is done
in a copy.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import copy_context
from typing import Any


def when_collected(object_: Any, function: Callable[..., object], *args: Any) -> weakref.finalize[..., Any]:
    """Have ``function(*args)`` called when ``object_`` is collected, in a copy of the context that is current then."""
    return weakref.finalize(object_, in_copied_context, function, *args)


def in_copied_context(function: Callable[..., Any], *args: Any) -> Any:
    """Return what ``function(*args)`` gives in a copy of the current context, which itself stays as it is."""
    return copy_context().run(function, *args)
