"""Data sets of images and captions, and pipelines that augment them."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from . import _raw as raw
from ._buffers import copied
from ._library import (
    Handle,
    InvalidArgumentError,
    check,
    created,
    lib,
    optional_text,
    path,
    read,
    sized,
    text,
    texts as c_texts,
    unsigned,
)
from .images import Image, ImageLike, Views, image_options
from .model import Model
from .options import EncodeOptions, encode_options
from .runtime import Runtime, default_runtime


class Pipeline(Handle):
    """Steps that augment an image or a text, as docs/augmentation.md describes: JSON, or a list of dictionaries."""

    def __init__(self, steps: str | Sequence[dict[str, Any]], runtime: Runtime | None = None) -> None:
        self.runtime = runtime or default_runtime()
        encoded = text(steps if isinstance(steps, str) else json.dumps(steps))
        with self.runtime._owner as pointer:
            pipeline = created(lib.clip_pipeline_create, pointer, encoded)
        super().__init__(pipeline, lib.clip_pipeline_release, self.runtime._owner)

    def image(self, image: ImageLike, seed: int, index: int) -> Image:
        """Augments an image. The result depends on image, pipeline, seed and index alone."""
        seed, index = unsigned(seed, 64, "seed"), unsigned(index, 64, "index")
        with Views([image], self.runtime) as views, self._owner as pointer:
            return Image._adopt(created(lib.clip_augment_image, pointer, views, seed, index), self.runtime)

    def text(self, value: str, seed: int, index: int) -> str:
        """Augments a text in the same way."""
        encoded, length = text(value), ctypes.c_size_t()
        capacity = 2 * len(encoded) + 256
        seed, index = unsigned(seed, 64, "seed"), unsigned(index, 64, "index")
        with self._owner as pointer:
            while True:
                buffer = ctypes.create_string_buffer(capacity)
                status = lib.clip_augment_text(pointer, encoded, seed, index, buffer, capacity, ctypes.byref(length))
                if status != raw.CLIP_INVALID_ARGUMENT or length.value < capacity:
                    check(status)
                    return buffer.value.decode()
                capacity = length.value + 1

    @property
    def failures(self) -> int:
        """How many texts steps left as they were because what they depend on, such as a translator, failed."""
        with self._owner as pointer:
            return lib.clip_pipeline_failures(pointer)


@dataclass(frozen=True)
class Batch:
    """Samples of a data set: copies, which stay. `pixels` [n, 3, height, width], `tokens` [n, context_length] and
    `lengths` [n] are None without a model; `images`, `files` and `all_captions` where they were not asked for."""

    epoch: int
    keys: list[str]
    captions: list[str]
    pixels: Any
    tokens: Any
    lengths: Any
    images: list[Any] | None
    files: list[bytes] | None
    all_captions: list[list[str]] | None

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Counters:
    """Of a data set, over all epochs (clip_dataset_counters)."""

    samples: int
    without_image: int
    without_caption: int
    bad_images: int
    bad_texts: int
    too_large: int
    damaged_shards: int
    waited_nanoseconds: int


@dataclass(frozen=True)
class DatasetOptions:
    """Which samples, in which order (clip_dataset_options): 0 is the default of each number."""

    batch_size: int = 0
    epochs: int = 1
    seed: int = 0
    shuffle_buffer: int = 0
    workers: int = 0
    prefetch: int = 0
    shard: tuple[int, int] = (0, 0)  # part i of n
    ordered: bool = False
    full_batches: bool = False
    images: bool = False
    files: bool = False
    paths_outside: bool = False
    all_captions: bool = False
    caption_fields: Sequence[str] = ()
    image_field: str | None = None
    max_bad_share: float = 0
    max_file_bytes: int = 0
    smaller_side: int = 0
    as_stored: bool = False
    lenient: bool = False
    encode: EncodeOptions | None = None


class Dataset(Handle):
    """Pairs of images and captions from archives, tables and folders: an iterator of batches.

    `model` says how images are preprocessed and captions tokenized; None for neither. `epochs` 0 never ends.
    """

    def __init__(
        self,
        sources: Sequence[str | os.PathLike[Any]],
        model: Model | None = None,
        options: DatasetOptions | None = None,
        *,
        image_pipeline: Pipeline | None = None,
        text_pipeline: Pipeline | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        options = options or DatasetOptions()
        runtime = runtime or (model.runtime if model else default_runtime())
        paths = [path(source) for source in sources]
        c_paths = (ctypes.c_char_p * len(paths))(*paths)
        captions = c_texts(options.caption_fields, "caption_fields")
        encode = encode_options(options.encode, None)
        image = image_options(options.smaller_side, options.as_stored, options.lenient)
        flags = {
            "ordered": raw.CLIP_DATASET_ORDERED,
            "full_batches": raw.CLIP_DATASET_FULL_BATCHES,
            "images": raw.CLIP_DATASET_IMAGES,
            "files": raw.CLIP_DATASET_FILES,
            "paths_outside": raw.CLIP_DATASET_PATHS_OUTSIDE,
            "all_captions": raw.CLIP_DATASET_ALL_CAPTIONS,
        }
        struct = sized(
            raw.clip_dataset_options,
            flags=sum(flag for name, flag in flags.items() if getattr(options, name)),
            seed=unsigned(options.seed, 64, "seed"),
            max_file_bytes=unsigned(options.max_file_bytes, 64, "max_file_bytes"),
            shard_index=unsigned(options.shard[0], 32, "shard"),
            shard_count=unsigned(options.shard[1], 32, "shard"),
            caption_field_count=len(captions),
            image_field=optional_text(options.image_field),
            max_bad_share=options.max_bad_share,
            encode=ctypes.pointer(encode),
            image=ctypes.pointer(image),
        )
        struct.caption_fields = ctypes.addressof(captions) if len(captions) else None
        for name in ("batch_size", "epochs", "shuffle_buffer", "workers", "prefetch"):
            setattr(struct, name, unsigned(getattr(options, name), 32, name))
        owners = [handle._owner for handle in (runtime, model, image_pipeline, text_pipeline) if handle is not None]
        with ExitStack() as used:
            # The sizes of its batches stay those of now.
            now = used.enter_context(model.snapshot()) if model is not None else None
            pointer, model_pointer, struct.image_pipeline, struct.text_pipeline = (
                used.enter_context(handle._owner) if handle is not None else None
                for handle in (runtime, now, image_pipeline, text_pipeline)
            )
            dataset = created(
                lib.clip_dataset_open, pointer, model_pointer, c_paths, len(paths), ctypes.byref(struct)
            )
        self._sizes, self._turn = now._opened if now is not None else None, threading.Lock()
        super().__init__(dataset, lib.clip_dataset_release, *owners)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = sized(raw.clip_batch)
        with self._turn, self._owner as pointer:  # a batch is there until the next one
            check(lib.clip_dataset_next(pointer, ctypes.byref(batch)))
            if not batch.count:
                raise StopIteration
            return self._copied(batch)

    def _copied(self, batch: Any) -> Batch:
        n = batch.count
        info = self._sizes
        counts = (ctypes.c_uint32 * n).from_address(batch.caption_counts) if batch.caption_counts else []
        captions = iter(_strings(batch.all_captions, sum(counts)))
        return Batch(
            epoch=batch.epoch,
            keys=_strings(batch.keys, n),
            captions=_strings(batch.captions, n),
            pixels=copied(batch.pixels, "f", n, 3, info.image_height, info.image_width) if info else None,
            tokens=copied(batch.tokens, "i", n, info.context_length) if info else None,
            lengths=copied(batch.lengths, "I", n) if info else None,
            images=[_pixels(batch.images[i]) for i in range(n)] if batch.images else None,
            files=_files(batch.files, batch.file_sizes, n) if batch.files else None,
            all_captions=[[next(captions) for _ in range(count)] for count in counts] if batch.all_captions else None,
        )

    def save(self) -> bytes:
        """The position after the batches given so far."""
        state = (ctypes.c_uint8 * raw.CLIP_DATASET_STATE_BYTES)()
        with self._owner as pointer:
            check(lib.clip_dataset_save(pointer, state, len(state)))
        return bytes(state)

    def restore(self, state: bytes) -> None:
        """Continues from a saved position."""
        with self._turn, self._owner as pointer:
            check(lib.clip_dataset_restore(pointer, (ctypes.c_char * len(state)).from_buffer_copy(state), len(state)))

    @property
    def counters(self) -> Counters:
        counters = sized(raw.clip_dataset_counters)
        with self._owner as pointer:
            check(lib.clip_dataset_get_counters(pointer, ctypes.byref(counters)))
        return read(counters, Counters)


def _strings(address: int | None, count: int) -> list[str]:
    if not address:
        return []
    return [
        (value or b"").decode("utf-8", "surrogateescape") for value in (ctypes.c_char_p * count).from_address(address)
    ]


def _pixels(view: Any) -> Any:
    channels = {raw.CLIP_PIXELS_GRAY: 1, raw.CLIP_PIXELS_RGBA: 4, raw.CLIP_PIXELS_BGRA: 4}.get(view.format, 3)
    if view.stride not in (0, view.width * channels):
        raise InvalidArgumentError("expected rows without gaps")
    return copied(view.pixels, "B", view.height, view.width, channels)


def _files(addresses: int, sizes: int, count: int) -> list[bytes]:
    pointers = (ctypes.c_void_p * count).from_address(addresses)
    lengths = (ctypes.c_size_t * count).from_address(sizes)
    return [ctypes.string_at(pointer, length) for pointer, length in zip(pointers, lengths)]
