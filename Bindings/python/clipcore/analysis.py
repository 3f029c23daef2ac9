"""Measures of how well pairs of embeddings match, and the catalogue of modalities (docs/analysis.md)."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

from . import _raw as raw
from ._buffers import elements
from ._library import Call, InvalidArgumentError, check, lib, optional_path, read, sized, text, unsigned
from .runtime import Runtime, default_runtime


@dataclass(frozen=True)
class Retrieval:
    """One direction: n queries, each searched among all n candidates (clip_retrieval)."""

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mean_reciprocal_rank: float
    median_rank: float
    loss: float
    calibration_error: float
    hubness: float


@dataclass(frozen=True)
class Analysis:
    """How well pairs match (clip_analysis)."""

    gap: float
    shifted_gap: float
    alignment: float
    image_uniformity: float
    text_uniformity: float
    matched_mean: float
    unmatched_mean: float
    logit_scale: float
    best_logit_scale: float
    best_loss: float
    best_calibration_error: float
    image_to_text: Retrieval
    text_to_image: Retrieval
    shifted_image_to_text: Retrieval
    shifted_text_to_image: Retrieval


@dataclass(frozen=True)
class PairAnalysis:
    """One pair among the others (clip_pair_analysis)."""

    text_rank: int
    image_rank: int
    other_text: int
    other_image: int
    cosine: float
    hardness: float


def analyze(
    images: Any, texts: Any, *, calibration_bins: int = 0, logit_scale: float = 0, runtime: Runtime | None = None
) -> tuple[Analysis, list[PairAnalysis]]:
    """Measures images [n, d] and texts [n, d], float32: row i of both is pair i."""
    a, b = elements(images, "f", "images"), elements(texts, "f", "texts")
    shape = a.shape if len(a.shape) == 2 else b.shape
    if len(shape) != 2 or a.size != b.size or a.size != 4 * shape[0] * shape[1]:
        raise InvalidArgumentError(f"expected images and texts [n, d], found {list(a.shape)} and {list(b.shape)}")
    options = sized(
        raw.clip_analysis_options,
        calibration_bins=unsigned(calibration_bins, 32, "calibration_bins"),
        logit_scale=logit_scale,
    )
    analysis, pairs = sized(raw.clip_analysis), (raw.clip_pair_analysis * shape[0])()
    with (runtime or default_runtime())._owner as pointer:
        check(
            lib.clip_analyze(
                pointer, a.address, b.address, *shape, ctypes.byref(options), ctypes.byref(analysis), pairs, len(pairs)
            )
        )
    result = read(analysis, Analysis)
    directions = {name: read(getattr(result, name), Retrieval) for name in Analysis.__annotations__ if "_to_" in name}
    return Analysis(**{**result.__dict__, **directions}), [read(pair, PairAnalysis) for pair in pairs]


@dataclass(frozen=True)
class PropertyGap:
    """How far two modalities are apart in one property."""

    property: str
    title: str
    a: str
    b: str
    challenge: str
    gap: float
    weight: float


def modality_gap(a: str, b: str, file: str | os.PathLike[Any] | None = None) -> tuple[float, str, list[PropertyGap]]:
    """The gap between two modalities: its score 0 to 1, that score's name, and the gap in each property.

    `file`: a catalogue of one's own, as docs/analysis.md describes.
    """
    info = sized(raw.clip_modality_gap_info)
    found: list[PropertyGap] = []
    call = Call()
    visitor = call.visitor(raw.clip_property_gap_fn, lambda gap: found.append(read(gap.contents, PropertyGap)))
    call.check(lib.clip_modality_gap(optional_path(file), text(a), text(b), ctypes.byref(info), visitor, None))
    return info.score, info.level.decode(), found


def catalogue(section: str, file: str | os.PathLike[Any] | None = None) -> list[tuple[str, str, str]]:
    """The texts (entry, field, value) of "modalities", "alignment" or "gaps"."""
    found: list[tuple[str, str, str]] = []
    call = Call()
    visitor = call.visitor(
        raw.clip_catalogue_fn,
        lambda entry, field, value: found.append((entry.decode(), field.decode(), value.decode())),
    )
    call.check(lib.clip_catalogue_visit(optional_path(file), text(section), visitor, None))
    return found
