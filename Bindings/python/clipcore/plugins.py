"""Plugins written in Python: augmentations, encoders and image codecs, for `Runtime.register`.

An encoder describes its graph once, so a model of it computes as fast as any other. An augmentation or codec runs in
Python for each image; an exception in it fails that item, with its text as the message.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from . import _raw as raw
from ._buffers import Buffer, numpy
from ._library import CLIPError, sized, text
from .images import PixelFormat
from .runtime import PluginKind, Tower


class SettingType(IntEnum):
    NUMBER = raw.CLIP_SETTING_NUMBER
    INTEGER = raw.CLIP_SETTING_INTEGER
    BOOLEAN = raw.CLIP_SETTING_BOOLEAN
    CHOICE = raw.CLIP_SETTING_CHOICE
    NUMBERS = raw.CLIP_SETTING_NUMBERS
    TEXT = raw.CLIP_SETTING_TEXT


@dataclass(frozen=True)
class SettingSpec:
    """A setting that an augmentation declares: a number of `low` to `high`, a choice, a text, ..."""

    name: str
    type: SettingType
    default: Any
    low: float = 0
    high: float = 1
    choices: Sequence[str] = ()
    description: str = ""
    count: tuple[int, int] = (1, 64)  # of numbers

    def _struct(self) -> Any:
        choices = (ctypes.c_char_p * len(self.choices))(*[text(choice) for choice in self.choices])
        numbers = (ctypes.c_double * 0)()
        info = raw.clip_setting_info(
            name=text(self.name), description=text(self.description or self.name), type=self.type, low=self.low,
            high=self.high, choice_count=len(self.choices),
        )  # fmt: skip
        if self.choices:
            info.choices = ctypes.addressof(choices)
        if self.type == SettingType.CHOICE:
            info.number = list(self.choices).index(self.default)
        elif self.type == SettingType.TEXT:
            info.text = text(self.default)
        elif self.type == SettingType.NUMBERS:
            numbers = (ctypes.c_double * len(self.default))(*self.default)
            info.numbers, info.number_count = ctypes.addressof(numbers), len(numbers)
            info.count_low, info.count_high = self.count
        else:
            info.number = self.default
        info._keep = (choices, numbers)
        return info

    def _value(self, settings: Any) -> Any:
        name, table = text(self.name), settings.contents
        if self.type in (SettingType.CHOICE, SettingType.TEXT):
            return (table.text(settings, name) or b"").decode()
        if self.type == SettingType.NUMBERS:
            values = ctypes.c_void_p()
            count = table.numbers(settings, name, ctypes.addressof(values))
            return list((ctypes.c_double * count).from_address(values.value)) if values.value else []
        number = table.number(settings, name)
        return {SettingType.INTEGER: int, SettingType.BOOLEAN: bool}.get(self.type, float)(number)


class Random:
    """The random numbers of one call of `apply`: the same for the same seed, item and step."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer

    def _call(self, name: str, *arguments: int) -> Any:
        if self._pointer is None:
            raise RuntimeError("random numbers are those of one call")
        return getattr(self._pointer.contents, name)(self._pointer, *arguments)

    def bits(self) -> int:
        """32 random bits."""
        return self._call("bits")

    def uniform(self) -> float:
        """In [0, 1)."""
        return self._call("uniform")

    def below(self, n: int) -> int:
        """In [0, n)."""
        return self._call("below", n)

    def normal(self) -> float:
        """Mean 0, deviation 1."""
        return self._call("normal")


def _report(error: BaseException, to: Any) -> int:
    """Writes the message of an exception, and returns the status to fail with."""
    message = str(error) if isinstance(error, CLIPError) else f"{type(error).__name__}: {error}"
    if to and to.contents.message and to.contents.capacity:
        data = message.encode("utf-8", "replace")[: to.contents.capacity - 1]
        data = data.decode("utf-8", "ignore").encode() + b"\0"  # no half of a character at the end
        ctypes.memmove(to.contents.message, data, len(data))
    return (isinstance(error, CLIPError) and error.status) or raw.CLIP_PLUGIN


class Augmentation:
    """A step of pipelines, made with the values of its settings as keyword arguments: `op` is its name there."""

    kind: PluginKind
    id: str
    op: str
    description: str = "An augmentation in Python"
    probability: float = 1
    formats: Sequence[PixelFormat] = (PixelFormat.RGB,)
    settings: Sequence[SettingSpec] = ()

    def apply(self, item: Any, random: Random) -> Any:
        """The new image [height, width, channels] (uint8) or text; None leaves it as it is. Called on any thread."""
        raise NotImplementedError

    @classmethod
    def _table(cls) -> Any:
        instances: dict[int, Augmentation] = {}
        settings = [setting._struct() for setting in cls.settings]
        array = (raw.clip_setting_info * len(settings))(*settings)
        table = sized(
            raw.clip_augmentation, formats=sum(1 << format for format in cls.formats), id=text(cls.id), op=text(cls.op),
            description=text(cls.description), probability=cls.probability, settings=array, setting_count=len(array),
        )  # fmt: skip

        def create(_: Any, settings: Any, instance: int, error: Any) -> int:
            try:
                made = cls(**{setting.name: setting._value(settings) for setting in cls.settings})
                instances[id(made)] = made
                ctypes.c_void_p.from_address(instance).value = id(made)
                return raw.CLIP_OK
            except BaseException as failed:
                return _report(failed, error)

        def destroy(instance: int) -> None:
            instances.pop(instance, None)

        def apply_image(instance: int, view: Any, sink: Any, random: Any, error: Any) -> int:
            numbers = Random(random)
            try:
                result = instances[instance].apply(_image(view.contents), numbers)
                return raw.CLIP_OK if result is None else _put(result, sink)
            except BaseException as failed:
                return _report(failed, error)
            finally:
                numbers._pointer = None

        def apply_text(instance: int, value: bytes, size: int, sink: Any, random: Any, error: Any) -> int:
            numbers = Random(random)
            try:
                result = instances[instance].apply(value.decode(), numbers)
                data = value if result is None else text(result)
                return raw.CLIP_OK if sink.contents.append(sink, data, len(data)) else raw.CLIP_PLUGIN
            except BaseException as failed:
                return _report(failed, error)
            finally:
                numbers._pointer = None

        types = dict(raw.clip_augmentation._fields_)
        table.create, table.destroy = types["create"](create), types["destroy"](destroy)
        if cls.kind == PluginKind.IMAGE_AUGMENTATION:
            table.apply_image = types["apply_image"](apply_image)
        else:
            table.apply_text = types["apply_text"](apply_text)
        table._keep = (settings, array)
        return table


class ImageAugmentation(Augmentation):
    kind = PluginKind.IMAGE_AUGMENTATION


class TextAugmentation(Augmentation):
    kind = PluginKind.TEXT_AUGMENTATION


def _image(view: Any) -> Any:
    """A copy of a view's pixels [height, width, channels]: NumPy's array, or a memoryview."""
    channels = PixelFormat(view.format).channels
    row = view.width * channels
    stride = view.stride or row
    data = bytearray(ctypes.string_at(view.pixels, stride * (view.height - 1) + row))
    if stride != row:
        data = bytearray(b"".join(data[y * stride : y * stride + row] for y in range(view.height)))
    pixels = memoryview(data).cast("B", [view.height, view.width, channels])
    return numpy().asarray(pixels) if numpy() else pixels


def _pixels(result: Any) -> tuple[Buffer, int, int, PixelFormat]:
    """Contiguous pixels, their width, height and format."""
    buffer = Buffer(result)
    channels = buffer.shape[2] if len(buffer.shape) == 3 else 1
    formats = {1: PixelFormat.GRAY, 3: PixelFormat.RGB, 4: PixelFormat.RGBA}
    if buffer.format != "B" or len(buffer.shape) not in (2, 3) or channels not in formats:
        raise TypeError(f"expected uint8 [height, width, 1, 3 or 4], found {buffer.format!r} {list(buffer.shape)}")
    height, width = buffer.shape[:2]
    if not buffer.contiguous:
        buffer = Buffer(memoryview(result).tobytes())
    return buffer, width, height, formats[channels]


def _put(result: Any, sink: Any) -> int:
    buffer, width, height, format = _pixels(result)
    stride = ctypes.c_size_t()
    memory = sink.contents.allocate(sink, width, height, format, ctypes.addressof(stride))
    if not memory:
        return raw.CLIP_PLUGIN  # the host has the message
    _rows(memory, stride.value, buffer, height, width * format.channels)
    return raw.CLIP_OK


def _rows(memory: int, stride: int, buffer: Buffer, height: int, row: int) -> None:
    for y in range(height):
        ctypes.memmove(memory + y * stride, buffer.address + y * row, row)


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

    def op(self, op: str, inputs: Sequence[int] | int = (), name: str | None = None, **settings: float | Sequence[float]) -> int:
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
        return self._call("encoder", text(id), None if scope is None else text(scope), None if key is None else text(key))

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
            raw.clip_encoder, tower=self.tower, id=text(self.id), description=text(self.description),
            build=dict(raw.clip_encoder._fields_)["build"](build), example=text(self.example),
            strengths=None if self.strengths is None else text(self.strengths),
        )  # fmt: skip


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
                return _report(failed, error)

        def decode(data: int, size: int, header: Any, pixels: int, stride: int, error: Any) -> int:
            try:
                buffer, width, height, format = _pixels(self.decode(ctypes.string_at(data, size)))
                expected = header.contents
                if (width, height, format) != (expected.width, expected.height, expected.format):
                    raise ValueError(f"decode made {width} x {height}, read_header {expected.width} x {expected.height}")
                _rows(pixels, stride, buffer, height, width * format.channels)
                return raw.CLIP_OK
            except BaseException as failed:
                return _report(failed, error)

        types = dict(raw.clip_image_codec._fields_)
        return sized(
            raw.clip_image_codec, id=text(self.id), description=text(self.description), extensions=text(self.extensions),
            recognises=types["recognises"](recognises), read_header=types["read_header"](read_header),
            decode=types["decode"](decode),
        )  # fmt: skip


class Plugin:
    """What `Runtime.register` takes: encoders, codecs, and classes of augmentations."""

    def __init__(
        self, id: str, items: Sequence[Encoder | ImageCodec | type[Augmentation]], *, version: str = "1.0.0",
        license: str = "Apache-2.0",
    ) -> None:  # fmt: skip
        self.id = id
        kinds = {Encoder: PluginKind.ENCODER, ImageCodec: PluginKind.IMAGE_CODEC}
        tables = [item._table() for item in items]
        array = (raw.clip_plugin_item * len(items))()
        for index, (item, table) in enumerate(zip(items, tables)):
            kind = item.kind if isinstance(item, type) else next(k for c, k in kinds.items() if isinstance(item, c))
            array[index] = raw.clip_plugin_item(kind, ctypes.addressof(table))
        table = sized(
            raw.clip_plugin, abi_version=raw.CLIP_PLUGIN_ABI_VERSION, id=text(id), version=text(version),
            license=text(license), items=array, item_count=len(array),
        )  # fmt: skip
        address = ctypes.addressof(table)
        self._keep = (tables, array, table)
        self._entry = raw.clip_plugin_entry_fn(lambda: address)
