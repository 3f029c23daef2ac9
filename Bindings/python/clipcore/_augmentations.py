"""Augmentations written in Python (clipcore.plugins)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from . import _raw as raw
from ._buffers import Buffer, numpy
from ._library import CLIPError, sized, text
from .images import PixelFormat
from .runtime import PluginKind


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
            name=text(self.name),
            description=text(self.description or self.name),
            type=self.type,
            low=self.low,
            high=self.high,
            choice_count=len(self.choices),
        )
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


def report(error: BaseException, to: Any) -> int:
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
            raw.clip_augmentation,
            formats=sum(1 << format for format in cls.formats),
            id=text(cls.id),
            op=text(cls.op),
            description=text(cls.description),
            probability=cls.probability,
            settings=array,
            setting_count=len(array),
        )

        def create(_: Any, settings: Any, instance: int, error: Any) -> int:
            try:
                made = cls(**{setting.name: setting._value(settings) for setting in cls.settings})
                instances[id(made)] = made
                ctypes.c_void_p.from_address(instance).value = id(made)
                return raw.CLIP_OK
            except BaseException as failed:
                return report(failed, error)

        def destroy(instance: int) -> None:
            instances.pop(instance, None)

        def apply_image(instance: int, view: Any, sink: Any, random: Any, error: Any) -> int:
            numbers = Random(random)
            try:
                result = instances[instance].apply(_image(view.contents), numbers)
                return raw.CLIP_OK if result is None else _put(result, sink)
            except BaseException as failed:
                return report(failed, error)
            finally:
                numbers._pointer = None

        def apply_text(instance: int, value: bytes, size: int, sink: Any, random: Any, error: Any) -> int:
            numbers = Random(random)
            try:
                result = instances[instance].apply(value.decode(), numbers)
                data = value if result is None else text(result)
                return raw.CLIP_OK if sink.contents.append(sink, data, len(data)) else raw.CLIP_PLUGIN
            except BaseException as failed:
                return report(failed, error)
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


def pixels_of(result: Any) -> tuple[Buffer, int, int, PixelFormat]:
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
    buffer, width, height, format = pixels_of(result)
    stride = ctypes.c_size_t()
    memory = sink.contents.allocate(sink, width, height, format, ctypes.addressof(stride))
    if not memory:
        return raw.CLIP_PLUGIN  # the host has the message
    put_rows(memory, stride.value, buffer, height, width * format.channels)
    return raw.CLIP_OK


def put_rows(memory: int, stride: int, buffer: Buffer, height: int, row: int) -> None:
    for y in range(height):
        ctypes.memmove(memory + y * stride, buffer.address + y * row, row)
