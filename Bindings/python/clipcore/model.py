"""Models: embeddings of images and texts, and their scores."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from . import _raw as raw
from ._buffers import copied, new, output, rows
from ._library import (
    Call,
    CLIPError,
    Handle,
    Progress,
    check,
    created,
    failure,
    lib,
    optional_path,
    path,
    read,
    sized,
    texts as c_texts,
    unsigned,
    written,
)
from .images import ImageLike, Views, image_options
from .options import (
    EncodeOptions,
    File,
    FilePart,
    Layout,
    ModelInfo,
    Storage,
    encode_options,
    export_options,
    model_options,
)
from .runtime import Runtime, Tower, default_runtime


class Model(Handle):
    """A CLIP model: an image tower, a text tower, or both. Any number of threads may use it at once.

    `folder`: as downloaded from Hugging Face or open_clip, or with clipcore.json. `image_size`: (width, height) of
    the image tower's input; None: as the folder says. `without_weights`: for training, preprocessing and tokens.
    """

    def __init__(
        self,
        folder: str | os.PathLike[Any],
        runtime: Runtime | None = None,
        *,
        towers: Tower = Tower.BOTH,
        storage: Storage = Storage.F32,
        allow_extra_tensors: bool = False,
        without_weights: bool = False,
        image_size: tuple[int, int] | None = None,
        progress: Progress | None = None,
    ) -> None:
        runtime = runtime or default_runtime()
        call, out = Call(), ctypes.c_void_p()
        options = model_options(towers, storage, allow_extra_tensors, without_weights, image_size, progress, call)
        with runtime._owner as pointer:
            call.check(lib.clip_model_open(pointer, path(folder), ctypes.byref(options), ctypes.byref(out)))
        self.runtime = runtime
        super().__init__(out.value, lib.clip_model_release, runtime._owner)
        self._opened = self.info

    @property
    def info(self) -> ModelInfo:
        with self._owner as pointer:
            return self._describe(pointer)

    def _describe(self, pointer: int) -> ModelInfo:
        info = sized(raw.clip_model_info)
        check(lib.clip_model_describe(pointer, ctypes.byref(info)))
        return read(info, ModelInfo)

    def encoder(self, tower: Tower) -> str:
        """The id of the plugin that built a tower, "" where that is not open."""
        with self._owner as pointer:
            return written(lib.clip_model_encoder, pointer, tower)

    def snapshot(self) -> Model:
        """A second handle on the model as it is now: a later swap of one does not change the other."""
        with self._owner as pointer:
            out = created(lib.clip_model_snapshot, pointer)
        model = Model.__new__(Model)
        model.runtime = self.runtime
        Handle.__init__(model, out, lib.clip_model_release, self.runtime._owner)
        model._opened = model.info
        return model

    # ------------------------------------------------------------ embeddings

    def encode_images(
        self, images: Iterable[ImageLike], options: EncodeOptions | None = None, *, out: Any = None
    ) -> Any:
        """Embeds n images: [n, embedding_width], each of unit length."""
        with Views(images, self.runtime) as views:
            return self._encode(lib.clip_encode_image, views, len(views), options, out)

    def encode_texts(self, texts: Iterable[str], options: EncodeOptions | None = None, *, out: Any = None) -> Any:
        """Embeds n texts: [n, embedding_width], each of unit length."""
        array = c_texts(texts)
        return self._encode(lib.clip_encode_text, array, len(array), options, out)

    def encode_pixels(self, pixels: Any, options: EncodeOptions | None = None, *, out: Any = None) -> Any:
        """Embeds n preprocessed images: pixels [n, 3, image_height, image_width], float32."""
        info = self._sizes(options)
        buffer, n = rows(pixels, "f", 3 * info.image_height * info.image_width, "pixels")
        return self._encode(lib.clip_encode_pixels, buffer.address, n, options, out)

    def encode_tokens(self, tokens: Any, options: EncodeOptions | None = None, *, out: Any = None) -> Any:
        """Embeds n tokenized texts: tokens [n, context_length], int32."""
        buffer, n = rows(tokens, "i", self._sizes(options).context_length, "tokens")
        return self._encode(lib.clip_encode_tokens, buffer.address, n, options, out)

    def _encode(self, function: Any, items: Any, n: int, options: EncodeOptions | None, out: Any) -> Any:
        call = Call()
        struct = encode_options(options, call)
        with self._owner as pointer:
            result, buffer = output(out, "f", n, self._describe(pointer).embedding_width)
            call.check(function(pointer, items, n, ctypes.byref(struct), buffer.address, buffer.size // 4))
        return result

    def _sizes(self, options: EncodeOptions | None) -> ModelInfo:
        """What the caller's pixels and tokens were made for: 0 is what the model was opened with, as in C."""
        said = options.sizes if options and options.sizes else self._opened
        return replace(
            said,
            image_width=said.image_width or self._opened.image_width,
            image_height=said.image_height or self._opened.image_height,
            context_length=said.context_length or self._opened.context_length,
        )

    # ------------------------------------------------------------ scores

    def similarity(self, images: Any, texts: Any, *, out: Any = None) -> Any:
        """Logits [n, m] of images [n, width] and texts [m, width], both of unit length."""
        return self._scores(lib.clip_similarity, images, texts, out)

    def classify(self, images: Any, texts: Any, *, out: Any = None) -> Any:
        """The probability of each of m texts for each of n images: [n, m]."""
        return self._scores(lib.clip_classify, images, texts, out)

    def _scores(self, function: Any, images: Any, texts: Any, out: Any) -> Any:
        with self._owner as pointer:
            width = self._describe(pointer).embedding_width
            (a, n), (b, m) = rows(images, "f", width, "images"), rows(texts, "f", width, "texts")
            result, buffer = output(out, "f", n, m)
            check(function(pointer, a.address, n, b.address, m, buffer.address, buffer.size // 4))
        return result

    # ------------------------------------------------------------ what encoders take

    def preprocess(self, images: Iterable[ImageLike], options: EncodeOptions | None = None, *, out: Any = None) -> Any:
        """Pixels [n, 3, image_height, image_width] of images, resized, cropped and normalised."""
        info = self._sizes(options)
        call = Call()
        struct = encode_options(options, call)
        with Views(images, self.runtime) as views, self._owner as pointer:
            result, buffer = output(out, "f", len(views), 3, info.image_height, info.image_width)
            call.check(
                lib.clip_preprocess(pointer, views, len(views), ctypes.byref(struct), buffer.address, buffer.size // 4)
            )
        return result

    def preprocess_bytes(
        self, images: Iterable[ImageLike], options: EncodeOptions | None = None, *, out: Any = None
    ) -> Any:
        """The first half of `preprocess`: resized and cropped bytes [n, image_height, image_width, 3]."""
        info = self._sizes(options)
        struct = encode_options(options, None)
        with Views(images, self.runtime) as views, self._owner as pointer:
            result, buffer = output(out, "B", len(views), info.image_height, info.image_width, 3)
            check(
                lib.clip_preprocess_bytes(pointer, views, len(views), ctypes.byref(struct), buffer.address, buffer.size)
            )
        return result

    def normalize_bytes(self, bytes: Any, options: EncodeOptions | None = None, *, out: Any = None) -> Any:
        """The second half: pixels [n, 3, image_height, image_width] of such bytes."""
        info = self._sizes(options)
        struct = encode_options(options, None)
        source, n = rows(bytes, "B", 3 * info.image_height * info.image_width, "bytes")
        with self._owner as pointer:
            result, buffer = output(out, "f", n, 3, info.image_height, info.image_width)
            check(
                lib.clip_normalize_bytes(
                    pointer, source.address, n, ctypes.byref(struct), buffer.address, buffer.size // 4
                )
            )
        return result

    def tokenize(self, texts: Iterable[str], options: EncodeOptions | None = None) -> tuple[Any, Any]:
        """Tokens [n, context_length], and how many each text has up to its end token: [n]."""
        array = c_texts(texts)
        struct = encode_options(options, None)
        with self._owner as pointer:
            tokens, a = new("i", len(array), self._sizes(options).context_length)
            lengths, b = new("I", len(array))
            check(
                lib.clip_tokenize(
                    pointer, array, len(array), ctypes.byref(struct), a.address, a.size // 4, b.address, b.size // 4
                )
            )
        return tokens, lengths

    # ------------------------------------------------------------ files

    def encode_files(
        self,
        files: Sequence[File],
        receive: Callable[[int, Any, CLIPError | None], bool | None] | None = None,
        *,
        options: EncodeOptions | None = None,
        batch_size: int = 0,
        workers: int = 0,
        shrink: bool = False,
        smaller_side: int = 0,
        as_stored: bool = False,
        lenient: bool = False,
        progress: Progress | None = None,
    ) -> tuple[Any, dict[int, CLIPError]]:
        """Embeds image files, decoded on threads of the call: embeddings [n, embedding_width], and the errors of files
        that could not be read, by their index; their rows are 0.

        A file is a path, or a `FilePart` such as a member of an archive. `receive(index, embedding, error)` gets each
        in turn instead, False ends the call with `CancelledError`, and nothing is returned in embeddings. `shrink`:
        large JPEG and WebP images are decoded smaller, cosine at least 0.9995.
        """
        parts = [file if isinstance(file, FilePart) else FilePart(file) for file in files]
        array = (raw.clip_image_file * len(parts))(
            *[(path(part.path), unsigned(part.offset, 64, "offset"), unsigned(part.size, 64, "size")) for part in parts]
        )
        call, errors = Call(), {}
        encode, image = encode_options(options, None), image_options(smaller_side, as_stored, lenient)
        struct = sized(
            raw.clip_encode_files_options,
            flags=raw.CLIP_FILES_SHRINK if shrink else 0,
            batch_size=unsigned(batch_size, 32, "batch_size"),
            workers=unsigned(workers, 32, "workers"),
            image=ctypes.pointer(image),
            encode=ctypes.pointer(encode),
        )
        struct.progress = call.progress(progress)
        with self.runtime._owner as runtime, self._owner as pointer:
            width = self._describe(pointer).embedding_width
            result, buffer = new("f", 0 if receive else len(parts), width)
            ctypes.memset(buffer.address, 0, buffer.size)

            def received(index: int, embedding: int | None, status: int, message: bytes | None) -> bool | None:
                error = failure(status, (message or b"").decode("utf-8", "replace")) if not embedding else None
                if receive is not None:
                    return receive(index, copied(embedding, "f", width), error)
                if error is not None:
                    errors[index] = error
                else:
                    ctypes.memmove(buffer.address + index * width * 4, embedding, width * 4)
                return True

            visitor = call.visitor(raw.clip_encoded_fn, received)
            call.check(lib.clip_encode_files(runtime, pointer, array, len(parts), ctypes.byref(struct), visitor, None))
        return result, errors

    # ------------------------------------------------------------ changes

    def swap(
        self,
        towers: Tower = Tower(0),
        folder: str | os.PathLike[Any] | None = None,
        *,
        storage: Storage | None = None,
        allow_extra_tensors: bool = False,
        image_size: tuple[int, int] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Replaces towers while other threads use the model; none named is all. From `folder`, or, if that is None, from
        where they came, with the plugins that are loaded now. `storage` None: as they were opened."""
        call = Call()
        struct = None
        if storage is not None or allow_extra_tensors or image_size is not None or progress is not None:
            with self._owner as pointer:
                kept = Storage(self._describe(pointer).storage)
            struct = model_options(
                Tower(0), kept if storage is None else storage, allow_extra_tensors, False, image_size, progress, call
            )
        with self._owner as pointer:
            call.check(
                lib.clip_model_swap(
                    pointer, towers, optional_path(folder), None if struct is None else ctypes.byref(struct)
                )
            )

    def export(
        self,
        folder: str | os.PathLike[Any],
        *,
        checkpoint: str | os.PathLike[Any] | None = None,
        layout: Layout = Layout.AS_OPENED,
        storage: Storage = Storage.F32,
        progress: Progress | None = None,
    ) -> None:
        """Writes a model folder with the weights of the opened one, or of a checkpoint."""
        call = Call()
        struct = export_options(False, layout, storage, progress, call)
        with self._owner as pointer:
            call.check(lib.clip_model_export(pointer, optional_path(checkpoint), path(folder), ctypes.byref(struct)))


def archive(file: str | os.PathLike[Any]) -> list[tuple[str, FilePart]]:
    """The files in a tar archive: their names there, and where they are."""
    found: list[tuple[str, FilePart]] = []
    call = Call()
    visitor = call.visitor(
        raw.clip_archive_fn, lambda name, offset, size: found.append((os.fsdecode(name), FilePart(file, offset, size)))
    )
    call.check(lib.clip_archive_visit(path(file), visitor, None))
    return found
