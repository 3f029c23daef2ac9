"""Arrays in and out without copies: NumPy's where it is installed, else any that have Python's buffer protocol."""

from __future__ import annotations

import array
import ctypes
import functools
import math
from typing import Any

from ._library import InvalidArgumentError

_CODES = {"f": ctypes.c_float, "i": ctypes.c_int32, "I": ctypes.c_uint32, "B": ctypes.c_uint8}
_NUMPY = {"f": "float32", "i": "int32", "I": "uint32", "B": "uint8"}


@functools.cache
def numpy() -> Any:
    """The module; None where it is not installed."""
    try:
        import numpy as module
    except ImportError:
        return None
    return module


class _PyBuffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    ]


_get, _release = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
_get.argtypes, _get.restype = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int], ctypes.c_int
_release.argtypes, _release.restype = [ctypes.POINTER(_PyBuffer)], None
_WRITABLE, _STRIDES_AND_FORMAT = 1, 0x1C


class Buffer:
    """The memory of an object, which stays where it is while this exists."""

    def __init__(self, value: Any, writable: bool = False) -> None:
        self._view = view = _PyBuffer()
        _get(value, ctypes.byref(view), _STRIDES_AND_FORMAT | (_WRITABLE if writable else 0))
        self.address: int = view.buf or 0
        self.size: int = view.len  # bytes, of the elements without gaps
        self.item_size: int = view.itemsize
        self.format = (view.format or b"B").decode().lstrip("@=<")
        self.shape = tuple(view.shape[: view.ndim])
        if view.strides:
            self.strides = tuple(view.strides[: view.ndim])
        else:  # no gaps
            self.strides = tuple(math.prod(self.shape[i + 1 :]) * view.itemsize for i in range(view.ndim))

    def __del__(self) -> None:
        if self._view.obj:
            _release(ctypes.byref(self._view))

    @property
    def contiguous(self) -> bool:
        expected = self.item_size
        for length, stride in zip(reversed(self.shape), reversed(self.strides)):
            if length > 1 and stride != expected:
                return False
            expected *= length
        return True


def new(code: str, *shape: int) -> tuple[Any, Buffer]:
    """An array for C to fill, and its memory. Without NumPy it is one of ctypes: rows, and a buffer as well."""
    module = numpy()
    if module is not None:
        value = module.empty(shape, _NUMPY[code])
    else:
        kind: Any = _CODES[code]
        for length in reversed(shape):
            kind = kind * length
        value = kind()
    return value, Buffer(value, writable=True)


def output(out: Any, code: str, *shape: int) -> tuple[Any, Buffer]:
    """The caller's array, where there is one, or a new one."""
    if out is None:
        return new(code, *shape)
    buffer = Buffer(out, writable=True)
    if buffer.format != code or not buffer.contiguous or buffer.size < math.prod(shape) * buffer.item_size:
        raise InvalidArgumentError(
            f"out: expected a contiguous array of {_NUMPY[code]} with room for {list(shape)}, found format "
            f"{buffer.format!r} and shape {list(buffer.shape)}"
        )
    return out, buffer


def _flat(values: Any, code: str, into: array.array[Any], what: str) -> None:
    for value in values:
        if isinstance(value, (list, tuple)):
            _flat(value, code, into, what)
        elif isinstance(value, (int, float)):
            into.append(value)
        else:
            part = elements(value, code, what)
            into.frombytes(ctypes.string_at(part.address, part.size))


def elements(value: Any, code: str, what: str) -> Buffer:
    """The memory of an array of elements: the array's own where its type and order are right, else of a copy."""
    try:
        buffer = Buffer(value)
    except TypeError as reason:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{what}: expected an array of {_NUMPY[code]}, found {type(value).__name__}") from reason
        copy = array.array(code)
        _flat(value, code, copy, what)
        return Buffer(copy)
    same = buffer.format == code or (buffer.format in "lqLQ" and buffer.item_size == 4)
    if same and buffer.contiguous:
        return buffer
    module = numpy()
    if module is None:
        raise TypeError(f"{what}: expected a contiguous array of {_NUMPY[code]}, found format {buffer.format!r}")
    converted = module.asarray(value)
    kinds = "fiu" if code == "f" else "iu"
    if converted.dtype.kind not in kinds:
        raise TypeError(f"{what}: expected an array of {_NUMPY[code]}, found {converted.dtype}")
    if code != "f" and converted.size:
        limits = module.iinfo(_NUMPY[code])
        if converted.min() < limits.min or converted.max() > limits.max:
            raise InvalidArgumentError(f"{what}: expected {limits.min} to {limits.max}, found {converted.max()}")
    return Buffer(module.ascontiguousarray(converted, _NUMPY[code]))


def rows(value: Any, code: str, width: int, what: str) -> tuple[Buffer, int]:
    """Rows of `width` elements, and how many there are."""
    buffer = elements(value, code, what)
    count, rest = divmod(buffer.size // buffer.item_size, width) if width else (0, 1)
    if rest:
        raise InvalidArgumentError(
            f"{what}: expected rows of {width} elements, found {buffer.size // buffer.item_size} elements"
        )
    return buffer, count


def copied(address: int | None, code: str, *shape: int) -> Any:
    """An array with a copy of the library's memory; None for NULL."""
    if not address:
        return None
    value, buffer = new(code, *shape)
    ctypes.memmove(buffer.address, address, buffer.size)
    return value
