"""Embed images and texts in one vector space with CLIP models, train them, search with them.

    import clipcore

    model = clipcore.Model("Models/emoji")
    images = model.encode_images(["cat.png"])
    texts = model.encode_texts(["a cat", "a slice of pizza"])
    print(model.classify(images, texts))

Arrays are NumPy's where it is installed, else memoryviews; any that have Python's buffer protocol are taken without a
copy. Calls release the GIL. Errors are `CLIPError`s, with the library's message.
"""

from . import plugins
from ._library import (
    CancelledError, CLIPError, FormatError, InvalidArgumentError, LimitError, MismatchError, NotFiniteError,
    NotFoundError, OutOfMemoryError, PluginError, Status, SystemIOError, UnsupportedError, lib as _lib,
)  # fmt: skip
from .analysis import Analysis, PairAnalysis, PropertyGap, Retrieval, analyze, catalogue, modality_gap
from .data import Batch, Counters, Dataset, DatasetOptions, Pipeline
from .images import Image, PixelFormat, Resample, image_endings, resize
from .index import Entry, Index, IndexInfo, fingerprint
from .model import EncodeOptions, FilePart, Layout, Model, ModelInfo, Storage, archive
from .runtime import (
    AugmentationInfo, EncoderInfo, LogLevel, PluginItem, PluginKind, Recommendation, Runtime, Setting, Tower,
    default_runtime,
)  # fmt: skip
from .training import (
    Loss, LossTerm, Metrics, Optimizer, Schedule, Teacher, TensorGroup, TensorKind, Trainer, TrainerOptions,
)  # fmt: skip

__version__: str = _lib.clip_version().decode()
abi_version: int = _lib.clip_abi_version()

__all__ = [name for name in dir() if not name.startswith("_")]
