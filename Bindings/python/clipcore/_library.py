"""The loaded libraries, and what every call needs: errors, handles, callbacks, text."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from . import _raw as raw

Progress = Callable[[int, int], "bool | None"]
"""Called with what is done and the total. False cancels the call, which raises `CancelledError`."""

_T = TypeVar("_T")


def _load() -> dict[str, Any]:
    """Every function by its name. The libraries are those of the wheel, or of the tree in CLIPCORE_TREE."""
    tree = os.environ.get("CLIPCORE_TREE")
    folder = Path(tree) / "lib" if tree else Path(__file__).parent / "lib"
    # What plugins need. They are loaded under a name in /proc, to which $ORIGIN is no folder, so their libraries come first.
    for carried in folder.glob("lib*-????????.so*"):
        try:
            ctypes.CDLL(str(carried))
        except OSError:  # libjxl without a libstdc++: the log says so when an image needs it
            pass
    libraries = [ctypes.CDLL(str(folder / f"lib{name}.so.1")) for name in ("clipcore", "cliptools", "clipindex")]
    functions = {}
    for name, (result, arguments) in raw.FUNCTIONS.items():
        function = next(getattr(library, name) for library in libraries if hasattr(library, name))
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


class _Calls:
    """The C functions. A call releases the GIL."""

    def __init__(self) -> None:
        self.__dict__.update(_load())

    def __getattr__(self, name: str) -> Any:  # for type checkers: all are set above
        raise AttributeError(name)


lib = _Calls()

# ---------------------------------------------------------------- errors


class Status(IntEnum):
    """The kind of a failure (clip_status)."""

    INVALID_ARGUMENT = raw.CLIP_INVALID_ARGUMENT
    NOT_FOUND = raw.CLIP_NOT_FOUND
    IO = raw.CLIP_IO
    FORMAT = raw.CLIP_FORMAT
    UNSUPPORTED = raw.CLIP_UNSUPPORTED
    MISMATCH = raw.CLIP_MISMATCH
    LIMIT = raw.CLIP_LIMIT
    OUT_OF_MEMORY = raw.CLIP_OUT_OF_MEMORY
    PLUGIN = raw.CLIP_PLUGIN
    NOT_FINITE = raw.CLIP_NOT_FINITE
    CANCELLED = raw.CLIP_CANCELLED


class CLIPError(Exception):
    """A call of the library that failed. The message says what was expected, what was found and where."""

    status: int = 0


class InvalidArgumentError(CLIPError, ValueError):
    """A count of zero, a value out of range, an unknown name."""


class NotFoundError(CLIPError, LookupError):
    """No such file, folder, plugin, tensor or entry."""


class SystemIOError(CLIPError, OSError):
    """The system could not read or write."""


class FormatError(CLIPError, ValueError):
    """A file is malformed or truncated."""


class UnsupportedError(CLIPError):
    """Well formed, but not supported by this build, model or runtime."""


class MismatchError(CLIPError, ValueError):
    """Tensors missing, extra or of an unexpected shape; parts that do not belong together."""


class LimitError(CLIPError, ValueError):
    """Larger than a limit: pixels of an image, tokens of a text, nesting."""


class OutOfMemoryError(CLIPError, MemoryError):
    """An allocation failed."""


class PluginError(CLIPError):
    """A plugin is broken, of another ABI, or reported a failure."""


class NotFiniteError(CLIPError, ArithmeticError):
    """Training: a loss, gradient or statistic is NaN or infinite."""


class CancelledError(CLIPError):
    """A progress callback asked to stop."""


_ERRORS: dict[int, type[CLIPError]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.NOT_FOUND: NotFoundError,
    Status.IO: SystemIOError,
    Status.FORMAT: FormatError,
    Status.UNSUPPORTED: UnsupportedError,
    Status.MISMATCH: MismatchError,
    Status.LIMIT: LimitError,
    Status.OUT_OF_MEMORY: OutOfMemoryError,
    Status.PLUGIN: PluginError,
    Status.NOT_FINITE: NotFiniteError,
    Status.CANCELLED: CancelledError,
}
for _status, _class in _ERRORS.items():
    _class.status = _status


def failure(status: int, message: str) -> CLIPError:
    """The exception of a status."""
    kind = _ERRORS.get(status)
    if kind:
        return kind(message)
    error = CLIPError(f"{lib.clip_status_name(status).decode()}: {message}")
    error.status = status
    return error


def check(status: int) -> None:
    """Raises the library's message unless `status` is CLIP_OK."""
    if status:
        raise failure(status, lib.clip_last_error().decode("utf-8", "replace"))


# ---------------------------------------------------------------- callbacks


class Call:
    """One call with callbacks. An exception in a callback ends the call and is raised by `check`."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._functions: list[Any] = []

    def function(self, kind: Any, body: Callable[..., Any], failed: int = 1) -> Any:
        """`body` as a C function of the given type, which returns `failed` after an exception."""

        def guarded(*arguments: Any) -> Any:
            if self._error is None:
                try:
                    return body(*arguments)
                except BaseException as error:  # also KeyboardInterrupt: it is raised after the call
                    self._error = error
            return failed

        function = kind(guarded)
        self._functions.append(function)
        return function

    def visitor(self, kind: Any, body: Callable[..., Any]) -> Any:
        """A visitor that goes on unless `body` returns False."""
        return self.function(kind, lambda user, *arguments: 1 if body(*arguments) is False else 0)

    def progress(self, body: Progress | None) -> Any:
        if body is None:
            return raw.clip_progress()
        return raw.clip_progress(fn=self.visitor(raw.clip_progress_fn, body))

    def check(self, status: int) -> None:
        error = self._error
        self._functions.clear()  # they refer to this object
        if error is not None:
            self._error = None
            raise error
        check(status)


# ---------------------------------------------------------------- handles


class Owner:
    """A handle of the library. `with owner as pointer` uses it; it is released once it is closed and not in use."""

    def __init__(self, pointer: int, release: Callable[[int], None], keep: tuple[Any, ...], one_call: bool) -> None:
        self._pointer, self._release, self.keep, self._one_call = pointer, release, list(keep), one_call
        # Finalizers close handles, also in the midst of a call that has the lock.
        self._lock, self._users, self._closed = threading.RLock(), 0, False

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise InvalidArgumentError("expected an open handle, found one that was closed")
            if self._one_call and self._users:
                raise InvalidArgumentError("expected one call at a time, found another that uses the handle")
            self._users += 1
        return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._release(self._pointer)

    def close(self) -> None:
        with self._lock:
            last = not self._closed and not self._users
            self._closed = True
        if last:
            self._release(self._pointer)


class Handle:
    """What owns something of the library: closed by `close`, by `with`, or with its last reference."""

    def __init__(self, pointer: int | None, release: Callable[[int], None], *keep: Any, one_call: bool = False) -> None:
        if not pointer:
            raise PluginError("expected a handle, found NULL")
        self._owner = Owner(pointer, release, keep, one_call)
        self._finalizer = weakref.finalize(self, self._owner.close)

    def close(self) -> None:
        """Releases it, after the calls that use it. Closing twice does nothing."""
        self._owner.close()

    @property
    def closed(self) -> bool:
        return self._owner._closed

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def created(function: Callable[..., int], *arguments: Any) -> int | None:
    """The handle that a call writes to its last parameter."""
    out = ctypes.c_void_p()
    check(function(*arguments, ctypes.byref(out)))
    return out.value


# ---------------------------------------------------------------- text and structs


def text(value: str) -> bytes:
    """UTF-8 for C, which ends at a NUL."""
    if not isinstance(value, str):
        raise TypeError(f"expected str, found {type(value).__name__}")
    if "\0" in value:
        raise InvalidArgumentError("expected text without a NUL character, found one")
    return value.encode()


def optional_text(value: str | None) -> bytes | None:
    return None if value is None else text(value)


def path(value: str | bytes | os.PathLike[Any]) -> bytes:
    """A path, whose bytes need not be UTF-8."""
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise InvalidArgumentError("expected a path without a NUL character, found one")
    return encoded


def optional_path(value: str | bytes | os.PathLike[Any] | None) -> bytes | None:
    return None if value is None else path(value)


def texts(values: Iterable[str], what: str = "texts") -> Any:
    """A C array of texts; len() is their number."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{what}: expected a list of str, found {type(values).__name__}")
    encoded = [text(value) for value in values]
    return (ctypes.c_char_p * len(encoded))(*encoded)


def sized(kind: Any, **values: Any) -> Any:
    """A struct with its struct_size."""
    struct = kind(**values)
    struct.struct_size = ctypes.sizeof(kind)
    return struct


def read(struct: Any, kind: type[_T]) -> _T:
    """A dataclass of a struct's fields with the same names; text is decoded."""
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        value = getattr(struct, field.name)
        values[field.name] = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return kind(**values)


def written(function: Callable[..., int], *arguments: Any) -> str:
    """A text that a call writes to a buffer and whose whole length it returns."""
    capacity = 256
    while True:
        buffer = ctypes.create_string_buffer(capacity)
        length = function(*arguments, buffer, capacity)
        if length < capacity:
            return buffer.value.decode("utf-8", "surrogateescape")
        capacity = length + 1


def unsigned(value: int, bits: int, what: str) -> int:
    """`value`, which ctypes would truncate to the width of a field."""
    if not 0 <= value < 1 << bits:
        raise InvalidArgumentError(f"{what}: expected 0 to {(1 << bits) - 1}, found {value}")
    return value
