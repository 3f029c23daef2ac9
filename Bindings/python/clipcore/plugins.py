"""Plugins written in Python: augmentations, encoders and image codecs, for `Runtime.register`.

An encoder describes its graph once, so a model of it computes as fast as any other. An augmentation or codec runs in
Python for each image; an exception in it fails that item, with its text as the message.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import _raw as raw
from ._augmentations import (
    Augmentation,
    ImageAugmentation,
    Random,
    SettingSpec,
    SettingType,
    TextAugmentation,
    pixels_of,
    put_rows,
    report,
)
from ._library import sized, text
from .images import PixelFormat
from .runtime import PluginKind, Tower


__all__ = [
    "Augmentation",
    "Builder",
    "CodecHeader",
    "Encoder",
    "ImageAugmentation",
    "ImageCodec",
    "Plugin",
    "Random",
    "SettingSpec",
    "SettingType",
    "TextAugmentation",
]


class Builder:
    """What `Encoder.build` calls; valid during that call (plugin/encoder.h). Values are numbers, below 0 after an error:
    the first error is the one that is reported, so values are passed on unchecked."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer

    def _call(self, name: str, *arguments: Any) -> Any:
        if self._pointer is None:
            raise RuntimeError("a builder is that of one call")
        return getattr(self._pointer.contents, name)(self._pointer, *arguments)

    def need_int(self, key: str, low: int, high: int) -> int:
        """An integer of the configuration in [low, high]; an absent one is an error."""
        return self._call("need_int", text(key), low, high)

    def get_int(self, key: str, fallback: int) -> int:
        return self._call("get_int", text(key), fallback)

    def get_number(self, key: str, fallback: float) -> float:
        return self._call("get_number", text(key), fallback)

    def get_string(self, key: str, fallback: str) -> str:
        return (self._call("get_string", text(key), text(fallback)) or b"").decode()

    def get_ints(self, key: str) -> list[int]:
        count = self._call("get_ints", text(key), None, 0)
        values = (ctypes.c_int64 * count)()
        self._call("get_ints", text(key), values, count)
        return list(values)

    def fail(self, message: str) -> None:
        """Records an error with this message."""
        self._call("fail", text(message))

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Parameters are named under "<name>."."""
        self._call("push", text(name))
        try:
            yield
        finally:
            self._call("pop")

    def op(
        self, op: str, inputs: Sequence[int] | int = (), name: str | None = None, **settings: float | Sequence[float]
    ) -> int:
        """The result of an op on values (plugin/builtin_ops.h); a setting that is a list is given several times."""
        values = [inputs] if isinstance(inputs, int) else list(inputs)
        pairs = [
            (text(key), float(item))
            for key, value in settings.items()
            for item in (value if isinstance(value, (list, tuple)) else (value,))  # type: ignore[union-attr]
        ]
        c_inputs = (ctypes.c_int32 * len(values))(*values)
        c_settings = (raw.clip_setting * len(pairs))(*pairs)
        c_name = None if name is None else text(name)
        return self._call("op", text(op), c_name, c_inputs, len(values), c_settings, len(pairs))

    def shape(self, value: int) -> tuple[int, int, tuple[int, int]]:
        """Rows (0: one for each token), width, and (height, width) of a grid."""
        shape = raw.clip_shape()
        self._call("shape", value, ctypes.byref(shape))
        return shape.row_count, shape.width, (shape.grid_height, shape.grid_width)

    def encoder(self, id: str, scope: str | None = None, key: str | None = None) -> int:
        """The features of another encoder, built into this graph."""
        return self._call(
            "encoder", text(id), None if scope is None else text(scope), None if key is None else text(key)
        )

    def set_output(self, name: str, value: int) -> None:
        self._call("set_output", text(name), value)

    def output(self, name: str) -> int:
        return self._call("output", text(name))


class Encoder:
    """What builds the graph of a tower. `example` is a configuration, as JSON; `strengths` "local-detail:3,texture:2"."""

    id: str
    tower: Tower
    description: str = "An encoder in Python"
    example: str = "{}"
    strengths: str | None = None

    def build(self, builder: Builder) -> int:
        """Calls ops and returns their result: one row for each item, its features."""
        raise NotImplementedError

    def _table(self) -> Any:
        def build(pointer: Any) -> int:
            builder = Builder(pointer)
            try:
                return int(self.build(builder))
            except BaseException as error:
                builder.fail(f"{type(error).__name__}: {error}".replace("\0", " "))
                return -1
            finally:
                builder._pointer = None

        return sized(
            raw.clip_encoder,
            tower=self.tower,
            id=text(self.id),
            description=text(self.description),
            build=dict(raw.clip_encoder._fields_)["build"](build),
            example=text(self.example),
            strengths=None if self.strengths is None else text(self.strengths),
        )


@dataclass(frozen=True)
class CodecHeader:
    width: int
    height: int
    format: PixelFormat
    orientation: int = 1


class ImageCodec:
    """What decodes image files. `extensions`: their name endings, "abc,abd"."""

    id: str
    description: str = "An image codec in Python"
    extensions: str

    def recognises(self, start: bytes) -> bool:
        """Whether a file's first bytes are of this format."""
        raise NotImplementedError

    def read_header(self, data: bytes) -> CodecHeader:
        """Size and format of what `decode` returns."""
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        """Pixels [height, width, channels], uint8."""
        raise NotImplementedError

    def _table(self) -> Any:
        def recognises(data: int, size: int) -> int:
            try:
                return 1 if self.recognises(ctypes.string_at(data, min(size, 4096))) else 0
            except BaseException:
                return 0

        def read_header(data: int, size: int, header: Any, error: Any) -> int:
            try:
                found = self.read_header(ctypes.string_at(data, size))
                header.contents.width, header.contents.height = found.width, found.height
                header.contents.format, header.contents.orientation = found.format, found.orientation
                return raw.CLIP_OK
            except BaseException as failed:
                return report(failed, error)

        def decode(data: int, size: int, header: Any, pixels: int, stride: int, error: Any) -> int:
            try:
                buffer, width, height, format = pixels_of(self.decode(ctypes.string_at(data, size)))
                expected = header.contents
                if (width, height, format) != (expected.width, expected.height, expected.format):
                    raise ValueError(
                        f"decode made {width} x {height}, read_header {expected.width} x {expected.height}"
                    )
                put_rows(pixels, stride, buffer, height, width * format.channels)
                return raw.CLIP_OK
            except BaseException as failed:
                return report(failed, error)

        types = dict(raw.clip_image_codec._fields_)
        return sized(
            raw.clip_image_codec,
            id=text(self.id),
            description=text(self.description),
            extensions=text(self.extensions),
            recognises=types["recognises"](recognises),
            read_header=types["read_header"](read_header),
            decode=types["decode"](decode),
        )


class Plugin:
    """What `Runtime.register` takes: encoders, codecs, and classes of augmentations."""

    def __init__(
        self,
        id: str,
        items: Sequence[Encoder | ImageCodec | type[Augmentation]],
        *,
        version: str = "1.0.0",
        license: str = "Apache-2.0",
    ) -> None:
        self.id = id
        kinds = {Encoder: PluginKind.ENCODER, ImageCodec: PluginKind.IMAGE_CODEC}
        tables = [item._table() for item in items]
        array = (raw.clip_plugin_item * len(items))()
        for index, (item, table) in enumerate(zip(items, tables)):
            kind = item.kind if isinstance(item, type) else next(k for c, k in kinds.items() if isinstance(item, c))
            array[index] = raw.clip_plugin_item(kind, ctypes.addressof(table))
        table = sized(
            raw.clip_plugin,
            abi_version=raw.CLIP_PLUGIN_ABI_VERSION,
            id=text(id),
            version=text(version),
            license=text(license),
            items=array,
            item_count=len(array),
        )
        address = ctypes.addressof(table)
        self._keep = (tables, array, table)
        self._entry = raw.clip_plugin_entry_fn(lambda: address)
