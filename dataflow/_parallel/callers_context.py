"""What belongs to a thread, carried to another one: a source behaves in its thread as in the caller's."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .._core.random_state import enter_thread_of, thread_of_caller

_R = TypeVar("_R")


class CallersContext:
    """The context variables, NumPy's error state, PyTorch's grad mode and random streams of this thread."""

    def __init__(self) -> None:
        self._variables = contextvars.copy_context()
        self._errors: dict[str, Any] = dict(np.geterr())
        self._random = thread_of_caller()
        torch: Any = sys.modules.get("torch")
        self._grad: bool | None = torch.is_grad_enabled() if hasattr(torch, "is_grad_enabled") else None

    def run(self, func: Callable[[], _R]) -> _R:
        """Call ``func`` as if the other thread did."""
        return self._variables.run(self._call, func)

    def _call(self, func: Callable[[], _R]) -> _R:
        enter_thread_of(self._random)
        if self._grad is not None:
            sys.modules["torch"].set_grad_enabled(self._grad)
        with np.errstate(**self._errors):
            return func()
