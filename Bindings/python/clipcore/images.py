"""Images: decoded files, and whatever else a call takes as one."""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Union

from . import _raw as raw
from ._buffers import Buffer, numpy, output
from ._library import Handle, InvalidArgumentError, Owner, check, created, lib, path, sized, unsigned, written
from .runtime import Runtime, default_runtime


class PixelFormat(IntEnum):
    """The channels of a pixel, a byte each."""

    RGB = raw.CLIP_PIXELS_RGB
    RGBA = raw.CLIP_PIXELS_RGBA  # alpha not premultiplied
    BGR = raw.CLIP_PIXELS_BGR
    BGRA = raw.CLIP_PIXELS_BGRA
    GRAY = raw.CLIP_PIXELS_GRAY

    @property
    def channels(self) -> int:
        return {PixelFormat.GRAY: 1, PixelFormat.RGBA: 4, PixelFormat.BGRA: 4}.get(self, 3)


class Resample(IntEnum):
    """The filters of Pillow's Image.resize."""

    NEAREST = raw.CLIP_RESAMPLE_NEAREST
    BILINEAR = raw.CLIP_RESAMPLE_BILINEAR
    BICUBIC = raw.CLIP_RESAMPLE_BICUBIC
    LANCZOS = raw.CLIP_RESAMPLE_LANCZOS


ImageLike = Union["Image", str, "os.PathLike[Any]", bytes, bytearray, memoryview, Any]
"""An `Image`; the path of a file; a file's bytes; a PIL image; or uint8 pixels [height, width] or
[height, width, 1, 3 or 4] with Python's buffer protocol, such as a NumPy array. Pixels are not copied."""


class Image(Handle):
    """A decoded image.

    `source` is a path, or a file's bytes. `smaller_side`: pixels needed of the smaller side; a larger image may be
    decoded at 1/2, 1/4 or 1/8 of its size. `as_stored`: the orientation in the file is not applied. `lenient`: what
    can be decoded of a damaged file is kept.
    """

    def __init__(
        self,
        source: str | os.PathLike[Any] | bytes | bytearray | memoryview,
        runtime: Runtime | None = None,
        *,
        smaller_side: int = 0,
        as_stored: bool = False,
        lenient: bool = False,
    ) -> None:
        runtime = runtime or default_runtime()
        options = image_options(smaller_side, as_stored, lenient)
        with runtime._owner as pointer:
            if isinstance(source, (bytes, bytearray, memoryview)):
                data = Buffer(source)
                if not data.contiguous:
                    raise InvalidArgumentError("source: expected contiguous bytes")
                image = created(lib.clip_image_decode, pointer, data.address, data.size, ctypes.byref(options))
            else:
                image = created(lib.clip_image_load, pointer, path(source), ctypes.byref(options))
        super().__init__(image, lib.clip_image_release, runtime._owner)

    @classmethod
    def _adopt(cls, pointer: int | None, runtime: Runtime) -> Image:
        image = cls.__new__(cls)
        Handle.__init__(image, pointer, lib.clip_image_release, runtime._owner)
        return image

    @classmethod
    def create(cls, format: PixelFormat, width: int, height: int, runtime: Runtime | None = None) -> Image:
        """An image whose pixels are zero until they are written through `pixels`."""
        runtime = runtime or default_runtime()
        pixels = ctypes.c_void_p()
        out = ctypes.c_void_p()
        width, height = unsigned(width, 32, "width"), unsigned(height, 32, "height")
        with runtime._owner as pointer:
            check(lib.clip_image_create(pointer, format, width, height, ctypes.byref(out), ctypes.byref(pixels)))
        image = cls._adopt(out.value, runtime)
        if pixels.value:
            ctypes.memset(pixels.value, 0, width * height * PixelFormat(format).channels)
        return image

    def _view(self, pointer: int) -> Any:
        view = raw.clip_image_view()
        check(lib.clip_image_get_view(pointer, ctypes.byref(view)))
        return view

    @property
    def _facts(self) -> Any:
        with self._owner as pointer:
            return self._view(pointer)

    @property
    def width(self) -> int:
        return self._facts.width

    @property
    def height(self) -> int:
        return self._facts.height

    @property
    def format(self) -> PixelFormat:
        return PixelFormat(self._facts.format)

    @property
    def orientation(self) -> int:
        """EXIF's Orientation of the pixels, 1 to 8. Calls apply it; width and height are as stored."""
        return self._facts.orientation or 1

    @property
    def pixels(self) -> memoryview:
        """The library's memory [height, width, channels]. The image is not released while this exists."""
        pointer = self._owner.__enter__()
        try:
            view = self._view(pointer)
            channels = PixelFormat(view.format).channels
            if view.stride not in (0, view.width * channels):
                raise InvalidArgumentError("expected rows without gaps")
            memory = (ctypes.c_uint8 * (view.width * view.height * channels)).from_address(view.pixels)
            weakref.finalize(memory, self._owner.__exit__).atexit = False
        except BaseException:
            self._owner.__exit__()
            raise
        return memoryview(memory).cast("B", [view.height, view.width, channels])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        module = numpy()
        pixels = module.asarray(self.pixels)
        return module.array(pixels, dtype) if copy or dtype not in (None, pixels.dtype) else pixels


def image_options(smaller_side: int, as_stored: bool, lenient: bool) -> Any:
    flags = (raw.CLIP_IMAGE_AS_STORED if as_stored else 0) | (raw.CLIP_IMAGE_LENIENT if lenient else 0)
    return sized(raw.clip_image_options, flags=flags, smaller_side=unsigned(smaller_side, 32, "smaller_side"))


def _pil(value: Any) -> tuple[bytes, tuple[int, int], int] | None:
    """The pixels of a PIL image, converted as torchvision's transforms do, its size and format; None for others."""
    module = sys.modules.get("PIL.Image")
    if module is None or not isinstance(value, module.Image):
        return None
    formats = {"RGB": raw.CLIP_PIXELS_RGB, "RGBA": raw.CLIP_PIXELS_RGBA, "L": raw.CLIP_PIXELS_GRAY}
    if value.mode not in formats:
        value = value.convert("RGBA" if value.mode in ("LA", "PA") or "transparency" in value.info else "RGB")
    return value.tobytes(), value.size, formats[value.mode]


class Views:
    """C's views of images, valid in a `with` block: nothing that Python owns is copied but PIL's images."""

    def __init__(self, images: Iterable[ImageLike], runtime: Runtime) -> None:
        if isinstance(images, (str, bytes, bytearray, os.PathLike, Image)) or _pil(images):
            raise TypeError(f"images: expected a list of images, found {type(images).__name__}")
        if len(getattr(images, "shape", (0, 0, 0, 0))) < 3 or len(getattr(images, "shape", ())) == 3:
            raise TypeError("images: expected a list of images or pixels [n, height, width, channels]")
        self._runtime = runtime
        self._keep: list[Buffer] = []
        self._used: list[Owner] = []
        self._images = list(images)

    def __enter__(self) -> Any:
        views = (raw.clip_image_view * len(self._images))()
        try:
            for index, image in enumerate(self._images):
                views[index] = self._view(image, f"images[{index}]")
        except BaseException:
            self.__exit__()
            raise
        return views

    def __exit__(self, *_: object) -> None:
        while self._used:
            self._used.pop().__exit__()
        self._keep.clear()

    def _view(self, image: ImageLike, name: str) -> Any:
        if isinstance(image, (str, os.PathLike, bytes, bytearray)):
            image = Image(image, self._runtime)
        if isinstance(image, Image):
            pointer = image._owner.__enter__()
            self._used.append(image._owner)
            return image._view(pointer)
        pil = _pil(image)
        if pil:
            data, (width, height), format = pil
            self._keep.append(buffer := Buffer(data))
            return raw.clip_image_view(buffer.address, width, height, 0, format)
        try:
            buffer = Buffer(image)
        except (TypeError, BufferError) as error:
            raise TypeError(f"{name}: expected an image, found {type(image).__name__}") from error
        if buffer.format == "B" and len(buffer.shape) == 1:
            return self._view(bytes(image), name)  # a file's bytes in a memoryview
        channels = buffer.shape[2] if len(buffer.shape) == 3 else 1
        formats = {1: raw.CLIP_PIXELS_GRAY, 3: raw.CLIP_PIXELS_RGB, 4: raw.CLIP_PIXELS_RGBA}
        if buffer.format != "B" or len(buffer.shape) not in (2, 3) or channels not in formats:
            raise TypeError(
                f"{name}: expected uint8 [height, width] or [height, width, 1, 3 or 4], found format "
                f"{buffer.format!r} and shape {list(buffer.shape)}"
            )
        height, width = buffer.shape[:2]
        inner = buffer.strides[1:]
        if (
            (width > 1 and inner[0] != channels)
            or (channels > 1 and inner[1] != 1)
            or (height > 1 and buffer.strides[0] < width * channels)
        ):  # transposed or mirrored: C has rows from top to bottom, channels interleaved
            buffer = Buffer(memoryview(image).tobytes())
            stride = 0
        else:
            stride = buffer.strides[0] if height > 1 else 0
        self._keep.append(buffer)
        return raw.clip_image_view(
            buffer.address, unsigned(width, 32, name), unsigned(height, 32, name), stride, formats[channels]
        )


def resize(
    image: ImageLike,
    width: int,
    height: int,
    resample: Resample = Resample.BICUBIC,
    *,
    out: Any = None,
    runtime: Runtime | None = None,
) -> Any:
    """Pixels [height, width, 3] of red, green and blue, as Pillow's Image.resize makes them; alpha is dropped."""
    runtime = runtime or default_runtime()
    width, height = unsigned(width, 32, "width"), unsigned(height, 32, "height")
    with runtime._owner as pointer, Views([image], runtime) as views:
        if not 0 < width * height <= 1 << 34:
            raise InvalidArgumentError(f"expected a size of pixels, found {width} x {height}")
        result, buffer = output(out, "B", height, width, 3)
        check(lib.clip_image_resize(pointer, views, resample, width, height, buffer.address, buffer.size, 0))
    return result


def image_endings(runtime: Runtime | None = None) -> list[str]:
    """The name endings of the image files that can be read: ["jpg", "jpeg", "png", ...]."""
    with (runtime or default_runtime())._owner as pointer:
        return written(lib.clip_image_endings, pointer).split(",")
