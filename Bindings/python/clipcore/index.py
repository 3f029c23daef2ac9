"""An index of embeddings in one file: search, near-duplicates, look-up by key."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from . import _raw as raw
from ._buffers import new, rows
from ._library import (
    Call,
    Handle,
    InvalidArgumentError,
    NotFoundError,
    Progress,
    check,
    created,
    lib,
    optional_text,
    path,
    read,
    sized,
    unsigned,
    written,
)
from .options import Storage
from .runtime import Runtime, default_runtime

Key = Union[str, bytes, "os.PathLike[Any]"]
"""Any bytes; a str is its file system's bytes (UTF-8)."""


@dataclass(frozen=True)
class Entry:
    """An entry; `score` is the cosine where entries are compared, else 0."""

    key: bytes
    metadata: bytes
    score: float

    @property
    def name(self) -> str:
        """The key as text, or the name of a file."""
        return os.fsdecode(self.key)


@dataclass(frozen=True)
class IndexInfo:
    """Facts about an index at one moment (clip_index_info)."""

    embedding_width: int
    storage: int
    entries: int
    changes: int
    file_bytes: int
    memory_bytes: int


def fingerprint(folder: str | os.PathLike[Any]) -> str:
    """A hash of what decides the embeddings of a model folder."""
    buffer = ctypes.create_string_buffer(33)
    check(lib.clip_index_fingerprint(path(folder), buffer, 33))
    return buffer.value.decode()


class Index(Handle):
    """Embeddings by their keys. Any number of threads may use it.

    With `fingerprint` and `embedding_width` the file is made if it is not there, and an existing one must have them;
    without, it must exist. A change is one transaction: it is in the file whole, or not at all.
    """

    def __init__(
        self,
        file: str | os.PathLike[Any],
        *,
        fingerprint: str | None = None,
        embedding_width: int = 0,
        storage: Storage = Storage.F16,
        read_only: bool = False,
        wait_milliseconds: int = 0,
        runtime: Runtime | None = None,
    ) -> None:
        runtime = runtime or default_runtime()
        create = fingerprint is not None and not read_only
        struct = sized(
            raw.clip_index_options,
            fingerprint=optional_text(fingerprint),
            storage=storage,
            flags=(raw.CLIP_INDEX_CREATE if create else 0) | (raw.CLIP_INDEX_READ_ONLY if read_only else 0),
            embedding_width=unsigned(embedding_width, 32, "embedding_width"),
            wait_milliseconds=unsigned(wait_milliseconds, 64, "wait_milliseconds"),
        )
        with runtime._owner as pointer:
            index = created(lib.clip_index_open, pointer, path(file), ctypes.byref(struct))
        super().__init__(index, lib.clip_index_release, runtime._owner)
        self._width = self.info.embedding_width

    @property
    def info(self) -> IndexInfo:
        info = sized(raw.clip_index_info)
        with self._owner as pointer:
            check(lib.clip_index_describe(pointer, ctypes.byref(info)))
        return read(info, IndexInfo)

    @property
    def fingerprint(self) -> str:
        """That the index was made with."""
        with self._owner as pointer:
            return written(lib.clip_index_get_fingerprint, pointer)

    def __len__(self) -> int:
        return self.info.entries

    # ------------------------------------------------------------ changes

    def put(self, keys: Sequence[Key], embeddings: Any = None, metadata: Sequence[bytes] | None = None) -> None:
        """Adds or replaces entries; embeddings [n, width], None: the entries keep theirs."""
        buffer, n = (None, len(keys)) if embeddings is None else rows(embeddings, "f", self._width, "embeddings")
        if n != len(keys) or (metadata is not None and len(metadata) != n):
            raise InvalidArgumentError(f"expected {len(keys)} embeddings and metadata, one for each key")
        names, facts = _bytes(keys), None if metadata is None else _bytes(metadata)
        with self._owner as pointer:
            check(lib.clip_index_put(pointer, names, buffer.address if buffer else None, facts, n))

    def rename(self, old: Sequence[Key], new: Sequence[Key]) -> None:
        """Gives entries other keys."""
        if len(old) != len(new):
            raise InvalidArgumentError(f"expected {len(old)} new keys, found {len(new)}")
        with self._owner as pointer:
            check(lib.clip_index_rename(pointer, _bytes(old), _bytes(new), len(old)))

    def remove(self, keys: Sequence[Key]) -> int:
        """Removes entries, and returns how many there were."""
        removed = ctypes.c_uint64()
        with self._owner as pointer:
            check(lib.clip_index_remove(pointer, _bytes(keys), len(keys), ctypes.byref(removed)))
        return removed.value

    # ------------------------------------------------------------ look-up

    def get(self, key: Key) -> tuple[Entry, Any]:
        """The entry with a key and its embedding [width]; `NotFoundError` if there is none."""
        found: list[Entry] = []
        data = _key(key)
        call = Call()
        visitor = call.visitor(raw.clip_index_entry_fn, lambda entry: found.append(_entry(entry)))
        embedding, buffer = new("f", self._width)
        with self._owner as pointer:
            call.check(lib.clip_index_get(pointer, data, len(data), buffer.address, buffer.size // 4, visitor, None))
        return found[0], embedding

    def __contains__(self, key: Key) -> bool:
        try:
            self.get(key)
        except NotFoundError:
            return False
        return True

    def entries(self, prefix: Key = b"") -> list[Entry]:
        """The entries whose keys begin with `prefix`, in the order of their bytes."""
        found: list[Entry] = []
        self.visit(found.append, prefix)  # type: ignore[arg-type]
        return found

    def visit(self, body: Callable[[Entry], bool | None], prefix: Key = b"") -> None:
        """Calls `body` for the same, one after the other, until it returns False."""
        data = _key(prefix)
        call = Call()
        visitor = call.visitor(raw.clip_index_entry_fn, lambda entry: body(_entry(entry)))
        with self._owner as pointer:
            call.check(lib.clip_index_visit(pointer, data, len(data), visitor, None))

    # ------------------------------------------------------------ search

    def search(
        self,
        query: Any,
        count: int = 10,
        *,
        threshold: float | None = None,
        filter: Callable[[Entry], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[Entry]:
        """The entries nearest to query [width], best first. `filter` must not use this index."""
        buffer, n = rows(query, "f", self._width, "query")
        if n != 1:
            raise InvalidArgumentError(f"query: expected {self._width} elements, found {n} rows of them")
        struct = sized(raw.clip_index_search_options, count=unsigned(count, 32, "count"))
        if threshold is not None:
            struct.flags, struct.threshold = raw.CLIP_INDEX_THRESHOLD, threshold
        call = Call()
        struct.progress = call.progress(progress)
        if filter is not None:
            accepts = filter
            struct.filter = call.function(
                raw.clip_index_filter_fn, lambda user, entry: 1 if accepts(_entry(entry)) else 0, failed=1
            )
        found: list[Entry] = []
        visitor = call.visitor(raw.clip_index_entry_fn, lambda entry: found.append(_entry(entry)))
        with self._owner as pointer:
            call.check(lib.clip_index_search(pointer, buffer.address, ctypes.byref(struct), visitor, None))
        return found

    def duplicates(
        self, threshold: float = 0.95, count: int = 10_000, *, progress: Progress | None = None
    ) -> list[tuple[Entry, Entry]]:
        """The pairs of entries that are nearest to each other, best first."""
        struct = sized(raw.clip_index_duplicates_options, count=unsigned(count, 32, "count"), threshold=threshold)
        call = Call()
        struct.progress = call.progress(progress)
        found: list[tuple[Entry, Entry]] = []
        visitor = call.visitor(raw.clip_index_pair_fn, lambda a, b: found.append((_entry(a), _entry(b))))
        with self._owner as pointer:
            call.check(lib.clip_index_duplicates(pointer, ctypes.byref(struct), visitor, None))
        return found


def _key(key: Key) -> bytes:
    return key if isinstance(key, bytes) else os.fsencode(key)


def _bytes(values: Iterable[Key]) -> Any:
    """C's view of byte strings, which the array keeps."""
    data = [_key(value) for value in values]
    array = (raw.clip_index_bytes * len(data))(
        *[(ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p), len(value)) for value in data]
    )
    array._data = data
    return array


def _text(value: Any) -> bytes:
    return ctypes.string_at(value.data, value.size) if value.size else b""


def _entry(pointer: Any) -> Entry:
    entry = pointer.contents
    return Entry(_text(entry.key), _text(entry.metadata), entry.score)
