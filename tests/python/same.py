"""same(): whether two values are the same in type, bits, order and form, recursively."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np


def same(left: Any, right: Any) -> bool:
    """Stricter than ==: types exactly, floats bit for bit, dicts in order, arrays with dtype and order."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and type(left) is float:
        return struct.pack("d", left) == struct.pack("d", right)
    if type(left) is complex:
        return same(left.real, right.real) and same(left.imag, right.imag)
    if type(left) in (list, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is dict:
        return same(list(left), list(right)) and same(list(left.values()), list(right.values()))
    if isinstance(left, np.ndarray):
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.flags.f_contiguous == right.flags.f_contiguous
            and left.tobytes() == right.tobytes()
        )
    if isinstance(left, np.generic):
        return left.dtype == right.dtype and left.tobytes() == right.tobytes()
    return bool(left == right)


assert not same(0.0, -0.0) and not same(True, 1) and same(math.nan, math.nan)
