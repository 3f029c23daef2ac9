"""The options of calls, and what they say about models."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from . import _raw as raw
from ._library import Call, Progress, optional_text, sized, unsigned
from .runtime import Tower


class Storage(IntEnum):
    """How weights are held."""

    F32 = raw.CLIP_STORAGE_F32
    F16 = raw.CLIP_STORAGE_F16
    BF16 = raw.CLIP_STORAGE_BF16
    INT8 = raw.CLIP_STORAGE_INT8


class Layout(IntEnum):
    """The names of files and tensors in a model folder."""

    AS_OPENED = raw.CLIP_LAYOUT_AS_OPENED
    HUGGING_FACE = raw.CLIP_LAYOUT_HUGGING_FACE
    OPEN_CLIP = raw.CLIP_LAYOUT_OPEN_CLIP


@dataclass(frozen=True)
class ModelInfo:
    """Facts about a model at one moment (clip_model_info)."""

    towers: int
    embedding_width: int
    image_width: int
    image_height: int
    context_length: int
    vocabulary_size: int
    has_logit_bias: int
    logit_scale: float
    logit_bias: float
    storage: int
    resized_side: int
    layout: str
    image_parameters: int
    text_parameters: int
    memory_bytes: int


@dataclass(frozen=True)
class EncodeOptions:
    """How images and texts are prepared and embedded. What means nothing to a call is ignored.

    `raw`: the tower's output, not scaled to unit length. `truncate`: a text that is too long is truncated.
    `openai_cleaning`: CLIP's tokenizer cleans texts as OpenAI's Python does. `background`: 0xRRGGBB to blend
    transparent pixels over; None drops alpha. `sizes`: what pixels and tokens were made for. `prompt`: the name of a
    prompt of the model; "" for none, None for the model's default. `progress`: in items.
    """

    raw: bool = False
    truncate: bool = False
    openai_cleaning: bool = False
    background: int | None = None
    sizes: ModelInfo | None = None
    prompt: str | None = None
    progress: Progress | None = None


def encode_options(options: EncodeOptions | None, call: Call | None) -> Any:
    """The C struct; `call` has the progress, None where it is not called."""
    options = options or EncodeOptions()
    struct = sized(raw.clip_encode_options, prompt=optional_text(options.prompt))
    if options.raw:
        struct.flags |= raw.CLIP_ENCODE_RAW
    if options.truncate:
        struct.flags |= raw.CLIP_ENCODE_TRUNCATE
    if options.openai_cleaning:
        struct.flags |= raw.CLIP_ENCODE_OPENAI_CLEANING
    if options.background is not None:
        struct.flags |= raw.CLIP_ENCODE_COMPOSITE_ALPHA
        struct.background = unsigned(options.background, 32, "background")
    if options.sizes is not None:
        struct.image_width, struct.image_height = options.sizes.image_width, options.sizes.image_height
        struct.context_length = options.sizes.context_length
    if call is not None:
        struct.progress = call.progress(options.progress)
    return struct


def model_options(
    towers: Tower,
    storage: Storage,
    extra: bool,
    without_weights: bool,
    image_size: tuple[int, int] | None,
    progress: Progress | None,
    call: Call,
) -> Any:
    width, height = image_size or (0, 0)
    struct = sized(
        raw.clip_model_options,
        towers=unsigned(towers, 32, "towers"),
        storage=storage,
        image_width=unsigned(width, 32, "image_size"),
        image_height=unsigned(height, 32, "image_size"),
    )
    struct.flags = (raw.CLIP_OPEN_ALLOW_EXTRA_TENSORS if extra else 0) | (
        raw.CLIP_OPEN_WITHOUT_WEIGHTS if without_weights else 0
    )
    struct.progress = call.progress(progress)
    return struct


def export_options(average: bool, layout: Layout, storage: Storage, progress: Progress | None, call: Call) -> Any:
    struct = sized(
        raw.clip_export_options, flags=raw.CLIP_EXPORT_AVERAGE if average else 0, layout=layout, storage=storage
    )
    struct.progress = call.progress(progress)
    return struct


@dataclass(frozen=True)
class FilePart:
    """Where an image is stored: a file, or a part of one. `size` 0: all that follows `offset`."""

    path: str | bytes | os.PathLike[Any]
    offset: int = 0
    size: int = 0


File = Any
"""A path, or a `FilePart`."""
