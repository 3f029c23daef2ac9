"""Training of CLIP models."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from . import _raw as raw
from ._buffers import elements, output, rows
from ._library import (
    Call,
    Handle,
    InvalidArgumentError,
    Progress,
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
    written,
)
from .images import ImageLike, Views
from .model import Model
from .options import EncodeOptions, Layout, Storage, encode_options, export_options


class Loss(IntEnum):
    CONTRASTIVE = raw.CLIP_LOSS_CONTRASTIVE
    SIGMOID = raw.CLIP_LOSS_SIGMOID
    DISTILLATION = raw.CLIP_LOSS_DISTILLATION


class Optimizer(IntEnum):
    ADAMW = raw.CLIP_OPTIMIZER_ADAMW
    SGD = raw.CLIP_OPTIMIZER_SGD


class Schedule(IntEnum):
    CONSTANT = raw.CLIP_SCHEDULE_CONSTANT
    COSINE = raw.CLIP_SCHEDULE_COSINE
    LINEAR = raw.CLIP_SCHEDULE_LINEAR


class TensorKind(IntEnum):
    WEIGHT = raw.CLIP_TENSOR_WEIGHT
    GRADIENT = raw.CLIP_TENSOR_GRADIENT
    AVERAGE = raw.CLIP_TENSOR_AVERAGE


@dataclass(frozen=True)
class LossTerm:
    kind: Loss
    weight: float = 1
    label_smoothing: float = 0


@dataclass(frozen=True)
class TensorGroup:
    """Tensors whose names match a pattern, and the factor of their learning rate; 0 freezes them."""

    pattern: str
    rate: float = 0


@dataclass(frozen=True)
class TrainerOptions:
    """How a model is trained (clip_trainer_options): 0 is the default of each number, docs/training.md has them."""

    losses: Sequence[LossTerm] = ()
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 0
    beta1: float = 0
    beta2: float = 0
    epsilon: float = 0
    weight_decay: float = 0
    gradient_clip: float = 0
    schedule: Schedule = Schedule.CONSTANT
    final_rate: float = 0
    warmup_steps: int = 0
    total_steps: int = 0
    average_decay: float = 0
    chunk: int = 0
    seed: int = 0
    recompute: bool = False
    groups: Sequence[TensorGroup] = ()
    low_rank: int = 0
    low_rank_scale: float = 0
    low_rank_patterns: Sequence[str] = ()


@dataclass(frozen=True)
class Metrics:
    """Of one batch: accuracy and loss before the update (clip_train_metrics)."""

    accuracy: float
    loss: float
    temperature: float
    gradient_norm: float
    learning_rate: float
    step: int


@dataclass(frozen=True)
class Teacher:
    """For distillation: logits [n, n], or embeddings [n, width] of unit length."""

    logits: Any = None
    images: Any = None
    texts: Any = None
    scale: float = 0


class Trainer(Handle):
    """A model's weights in training. One call at a time uses a trainer; a second one meanwhile is refused."""

    def __init__(self, model: Model, options: TrainerOptions | None = None) -> None:
        options = options or TrainerOptions()
        losses = (raw.clip_loss_term * len(options.losses))(
            *[(term.kind, term.weight, term.label_smoothing) for term in options.losses]
        )
        groups = (raw.clip_tensor_group * len(options.groups))(
            *[(text(group.pattern), group.rate) for group in options.groups]
        )
        patterns = c_texts(options.low_rank_patterns, "low_rank_patterns")
        struct = sized(
            raw.clip_trainer_options,
            flags=raw.CLIP_TRAIN_RECOMPUTE if options.recompute else 0,
            losses=losses,
            loss_count=len(losses),
            groups=groups,
            group_count=len(groups),
            low_rank_pattern_count=len(patterns),
        )
        struct.low_rank_patterns = ctypes.addressof(patterns) if len(patterns) else None
        for name in ("seed", "warmup_steps", "total_steps"):
            setattr(struct, name, unsigned(getattr(options, name), 64, name))
        for name in ("chunk", "low_rank"):
            setattr(struct, name, unsigned(getattr(options, name), 32, name))
        for name in (
            "optimizer",
            "learning_rate",
            "beta1",
            "beta2",
            "epsilon",
            "weight_decay",
            "gradient_clip",
            "schedule",
            "final_rate",
            "average_decay",
            "low_rank_scale",
        ):
            setattr(struct, name, getattr(options, name))
        with model.snapshot() as now, now._owner as pointer:
            trainer = created(lib.clip_trainer_create, pointer, ctypes.byref(struct))
        self.model, self._sizes = model, now._opened
        super().__init__(trainer, lib.clip_trainer_release, model._owner, one_call=True)

    def step(
        self,
        images: Iterable[ImageLike] | None = None,
        texts: Iterable[str] | None = None,
        *,
        pixels: Any = None,
        tokens: Any = None,
        options: EncodeOptions | None = None,
        teacher: Teacher | None = None,
    ) -> Metrics:
        """Makes one update of n pairs: `images` or preprocessed `pixels`, `texts` or `tokens`."""
        return self._batch(lib.clip_train_step, images, texts, pixels, tokens, options, teacher)

    def evaluate(
        self,
        images: Iterable[ImageLike] | None = None,
        texts: Iterable[str] | None = None,
        *,
        pixels: Any = None,
        tokens: Any = None,
        options: EncodeOptions | None = None,
        teacher: Teacher | None = None,
    ) -> Metrics:
        """Loss and accuracy of a batch, without an update."""
        return self._batch(lib.clip_trainer_evaluate, images, texts, pixels, tokens, options, teacher)

    def _batch(
        self,
        function: Any,
        images: Any,
        texts: Any,
        pixels: Any,
        tokens: Any,
        options: EncodeOptions | None,
        teacher: Teacher | None,
    ) -> Metrics:
        if (images is None) == (pixels is None) or (texts is None) == (tokens is None):
            raise InvalidArgumentError("expected images or pixels, and texts or tokens")
        info = self._sizes  # a swap of the model does not change the trainer
        encode = encode_options(options, None)
        batch, metrics = sized(raw.clip_train_batch, options=ctypes.pointer(encode)), sized(raw.clip_train_metrics)
        counts = {}
        with ExitStack() as stack:
            if images is not None:
                views = stack.enter_context(Views(images, self.model.runtime))
                batch.images, counts["images"] = views, len(views)
            else:
                buffer, counts["pixels"] = rows(pixels, "f", 3 * info.image_height * info.image_width, "pixels")
                stack.callback(lambda _: None, buffer)
                batch.pixels = buffer.address
            if texts is not None:
                array = c_texts(texts)
                batch.texts, counts["texts"] = ctypes.addressof(array), len(array)
                stack.callback(lambda _: None, array)
            else:
                buffer, counts["tokens"] = rows(tokens, "i", info.context_length, "tokens")
                stack.callback(lambda _: None, buffer)
                batch.tokens = buffer.address
            batch.n = n = next(iter(counts.values()))
            if teacher is not None:
                batch.teacher_scale = teacher.scale
                for name in ("logits", "images", "texts"):
                    value = getattr(teacher, name)
                    if value is None:
                        continue
                    buffer = elements(value, "f", f"teacher.{name}")
                    counts[f"teacher.{name}"], rest = divmod(buffer.size // 4, n or 1)
                    if rest or (name == "logits" and counts["teacher.logits"] != n):
                        raise InvalidArgumentError(f"teacher.{name}: expected rows of {n} pairs")
                    if name != "logits":
                        width = counts[f"teacher.{name}"]
                        if batch.teacher_width not in (0, width):
                            raise InvalidArgumentError("teacher: expected images and texts of one width")
                        batch.teacher_width = width
                    del counts[f"teacher.{name}"]
                    stack.callback(lambda _: None, buffer)
                    setattr(batch, f"teacher_{name}", buffer.address)
            if len(set(counts.values())) != 1:
                raise InvalidArgumentError(f"expected as many of each, found {counts}")
            with self._owner as pointer:
                check(function(pointer, ctypes.byref(batch), ctypes.byref(metrics)))
        return read(metrics, Metrics)

    def set_learning_rate(self, rate: float) -> None:
        """Of the next updates, in place of that of the options."""
        with self._owner as pointer:
            check(lib.clip_trainer_set_learning_rate(pointer, rate))

    def tensors(self) -> dict[str, tuple[int, float]]:
        """The tensors in training: their elements, and the factor of their learning rate."""
        found: dict[str, tuple[int, float]] = {}
        call = Call()

        def visit(name: bytes, count: int, rate: float) -> None:
            found[name.decode()] = (count, rate)

        visitor = call.visitor(raw.clip_trained_tensor_fn, visit)
        with self._owner as pointer:
            call.check(lib.clip_trainer_tensors_visit(pointer, visitor, None))
        return found

    def read(self, name: str, kind: TensorKind = TensorKind.WEIGHT, *, out: Any = None) -> Any:
        """A copy of a tensor's elements, in the order of its weight file."""
        tensors = self.tensors()
        with self._owner as pointer:
            # A name that is not there is for the library to say.
            result, buffer = output(out, "f", tensors[name][0] if name in tensors else 1)
            check(lib.clip_trainer_read(pointer, kind, text(name), buffer.address, buffer.size // 4))
        return result

    def save(self, folder: str | os.PathLike[Any], *, keep: int = 0, note: str | None = None) -> None:
        """Writes a checkpoint, and removes all but the last `keep` (0: none is removed)."""
        with self._owner as pointer:
            check(lib.clip_trainer_save(pointer, path(folder), unsigned(keep, 32, "keep"), optional_text(note)))

    def resume(self, file: str | os.PathLike[Any]) -> str:
        """Continues from a checkpoint, or from the last one of a folder, and returns its note."""
        with self._owner as pointer:
            check(lib.clip_trainer_resume(pointer, path(file)))
            return written(lib.clip_trainer_note, pointer)

    def export(
        self,
        folder: str | os.PathLike[Any],
        *,
        average: bool = False,
        layout: Layout = Layout.AS_OPENED,
        storage: Storage = Storage.F32,
        progress: Progress | None = None,
    ) -> None:
        """Writes a model folder with the trained weights."""
        call = Call()
        struct = export_options(average, layout, storage, progress, call)
        with self._owner as pointer:
            call.check(lib.clip_trainer_export(pointer, path(folder), ctypes.byref(struct)))

    def update_model(self, model: Model, *, average: bool = False) -> None:
        """Gives an open model the trained weights, while other threads use it."""
        with self._owner as pointer, model._owner as other:
            check(lib.clip_trainer_update_model(pointer, other, raw.CLIP_EXPORT_AVERAGE if average else 0))
