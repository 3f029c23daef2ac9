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
    CancelledError,
    CLIPError,
    FormatError,
    InvalidArgumentError,
    LimitError,
    MismatchError,
    NotFiniteError,
    NotFoundError,
    OutOfMemoryError,
    PluginError,
    Status,
    SystemIOError,
    UnsupportedError,
    lib as _lib,
)
from .analysis import Analysis, PairAnalysis, PropertyGap, Retrieval, analyze, catalogue, modality_gap
from .data import Batch, Counters, Dataset, DatasetOptions, Pipeline
from .images import Image, PixelFormat, Resample, image_endings, resize
from .index import Entry, Index, IndexInfo, fingerprint
from .model import Model, archive
from .options import EncodeOptions, FilePart, Layout, ModelInfo, Storage
from .runtime import (
    AugmentationInfo,
    EncoderInfo,
    LogLevel,
    PluginItem,
    PluginKind,
    Recommendation,
    Runtime,
    Setting,
    Tower,
    default_runtime,
)
from .training import (
    Loss,
    LossTerm,
    Metrics,
    Optimizer,
    Schedule,
    Teacher,
    TensorGroup,
    TensorKind,
    Trainer,
    TrainerOptions,
)

__version__: str = _lib.clip_version().decode()
abi_version: int = _lib.clip_abi_version()

__all__ = [
    "Analysis",
    "AugmentationInfo",
    "Batch",
    "CLIPError",
    "CancelledError",
    "Counters",
    "Dataset",
    "DatasetOptions",
    "EncodeOptions",
    "EncoderInfo",
    "Entry",
    "FilePart",
    "FormatError",
    "Image",
    "Index",
    "IndexInfo",
    "InvalidArgumentError",
    "Layout",
    "LimitError",
    "LogLevel",
    "Loss",
    "LossTerm",
    "Metrics",
    "MismatchError",
    "Model",
    "ModelInfo",
    "NotFiniteError",
    "NotFoundError",
    "Optimizer",
    "OutOfMemoryError",
    "PairAnalysis",
    "Pipeline",
    "PixelFormat",
    "PluginError",
    "PluginItem",
    "PluginKind",
    "PropertyGap",
    "Recommendation",
    "Resample",
    "Retrieval",
    "Runtime",
    "Schedule",
    "Setting",
    "Status",
    "Storage",
    "SystemIOError",
    "Teacher",
    "TensorGroup",
    "TensorKind",
    "Tower",
    "Trainer",
    "TrainerOptions",
    "UnsupportedError",
    "abi_version",
    "analyze",
    "archive",
    "catalogue",
    "default_runtime",
    "fingerprint",
    "image_endings",
    "modality_gap",
    "plugins",
    "resize",
]
