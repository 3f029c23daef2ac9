"""The runtime: threads, plugins, encoders and log, shared by models."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from . import _raw as raw
from ._library import (
    Call,
    CLIPError,
    Handle,
    check,
    created,
    failure,
    lib,
    optional_text,
    path,
    read,
    sized,
    text,
    unsigned,
)

if TYPE_CHECKING:
    from .plugins import Plugin


class LogLevel(IntEnum):
    ERROR = raw.CLIP_LOG_ERROR
    WARNING = raw.CLIP_LOG_WARNING
    INFO = raw.CLIP_LOG_INFO


class Tower(IntFlag):
    """The halves of a model."""

    IMAGE = raw.CLIP_TOWER_IMAGE
    TEXT = raw.CLIP_TOWER_TEXT
    BOTH = IMAGE | TEXT


class PluginKind(IntEnum):
    ENCODER = raw.CLIP_KIND_ENCODER
    IMAGE_CODEC = raw.CLIP_KIND_IMAGE_CODEC
    KERNELS = raw.CLIP_KIND_KERNELS
    TOKENIZER = raw.CLIP_KIND_TOKENIZER
    LOADER = raw.CLIP_KIND_LOADER
    OP = raw.CLIP_KIND_OP
    IMAGE_AUGMENTATION = raw.CLIP_KIND_IMAGE_AUGMENTATION
    TEXT_AUGMENTATION = raw.CLIP_KIND_TEXT_AUGMENTATION
    WEIGHTS = raw.CLIP_KIND_WEIGHTS


@dataclass(frozen=True)
class PluginItem:
    """One item of a plugin: an encoder, a codec, and so on."""

    kind: int
    active: int  # kernels: 1 for the set in use, else 0; other kinds: 1
    id: str
    description: str
    version: str
    license: str
    path: str  # "" for a built-in item
    plugin: str


@dataclass(frozen=True)
class EncoderInfo:
    """What an encoder builds from a configuration."""

    tower: int
    features: int
    image_width: int
    image_height: int
    context_length: int
    vocabulary_size: int
    end_rule: int
    end_token: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Recommendation:
    """An encoder, and how well it suits a task: `score` is 0 to 1, `milliseconds` 0 if not measured."""

    id: str
    score: float
    reasons: str
    parameters: int
    multiply_adds: int
    milliseconds: float


@dataclass(frozen=True)
class Setting:
    """A setting that an augmentation has."""

    name: str
    description: str
    type: int  # a SettingType
    low: float
    high: float
    default: Any
    choices: tuple[str, ...]


@dataclass(frozen=True)
class AugmentationInfo:
    """What an augmentation says about itself; `probability` is that of a step without "p"."""

    kind: int
    id: str
    op: str
    description: str
    probability: float
    settings: tuple[Setting, ...]


Log = Callable[[LogLevel, str], None]
Changed = Callable[[str, str, "CLIPError | None"], None]


def _reported(function: Callable[..., Any]) -> Callable[..., None]:
    """A callback that no call waits for: an exception in it goes to sys.unraisablehook."""

    def guarded(user: Any, *arguments: Any) -> None:
        function(*arguments)

    return guarded


class Runtime(Handle):
    """What models share: worker threads, plugins, log.

    `threads`: that compute one call, 1 to 256. `plugin_paths`: plugin files and folders, loaded before all others.
    `log` gets messages, on any thread; it must not call the library. `max_image_pixels`: the largest image, 0 for
    Pillow's limit. `kernels`: the id of a kernel set, None for the fastest.
    """

    def __init__(
        self,
        threads: int = 1,
        *,
        plugin_paths: Sequence[str | os.PathLike[Any]] = (),
        log: Log | None = None,
        max_image_pixels: int = 0,
        kernels: str | None = None,
    ) -> None:
        paths = [path(item) for item in plugin_paths]
        array = (ctypes.c_char_p * len(paths))(*paths)
        options = sized(
            raw.clip_runtime_options,
            threads=unsigned(threads, 32, "threads"),
            plugin_path_count=len(paths),
            max_image_pixels=unsigned(max_image_pixels, 64, "max_image_pixels"),
            kernels=optional_text(kernels),
        )
        options.plugin_paths = ctypes.addressof(array) if paths else None
        keep = []
        if log is not None:
            heard = log
            logged = _reported(lambda level, message: heard(LogLevel(level), message.decode("utf-8", "replace")))
            options.log = raw.clip_log_fn(logged)
            keep.append(options.log)
        super().__init__(created(lib.clip_runtime_create, ctypes.byref(options)), lib.clip_runtime_release, *keep)

    @property
    def threads(self) -> int:
        """The most threads that compute one call."""
        with self._owner as pointer:
            return lib.clip_runtime_threads(pointer)

    def log(self, level: LogLevel, message: str) -> None:
        """Sends a message to the log."""
        with self._owner as pointer:
            lib.clip_runtime_log(pointer, level, text(message))

    # ------------------------------------------------------------ plugins

    def plugins(self) -> list[PluginItem]:
        """The items of all loaded plugins, in the order of loading."""
        found: list[PluginItem] = []
        call = Call()
        visit = call.visitor(raw.clip_plugin_fn, lambda info: found.append(read(info.contents, PluginItem)))
        with self._owner as pointer:
            call.check(lib.clip_plugins_visit(pointer, visit, None))
        return found

    def load_plugin(self, file: str | os.PathLike[Any]) -> None:
        """Loads a plugin file, or each *.so of a folder."""
        with self._owner as pointer:
            check(lib.clip_plugin_load(pointer, path(file)))

    def unload_plugin(self, plugin: str) -> None:
        """Unloads a plugin, by its id or path. Models that use it go on."""
        with self._owner as pointer:
            check(lib.clip_plugin_unload(pointer, text(plugin)))

    def reload_plugin(self, plugin: str) -> None:
        """Loads a plugin's file again; `Model.swap` brings an open model to its new code."""
        with self._owner as pointer:
            check(lib.clip_plugin_reload(pointer, text(plugin)))

    def register(self, plugin: Plugin) -> None:
        """Adds a plugin that is written in Python (clipcore.plugins)."""
        self._owner.keep.append(plugin)  # its tables stay until the runtime and its models are released
        with self._owner as pointer:
            check(lib.clip_plugin_register(pointer, plugin._entry))

    def watch_plugins(self, changed: Changed | None = None) -> None:
        """Reloads each plugin whose file changes. `changed(plugin, path, error)` is called on a thread of its own."""
        function = raw.clip_plugin_changed_fn()
        if changed is not None:
            heard = changed
            function = raw.clip_plugin_changed_fn(
                _reported(
                    lambda plugin, file, status, message: heard(
                        plugin.decode(),
                        os.fsdecode(file),
                        failure(status, message.decode("utf-8", "replace")) if status else None,
                    )
                )
            )
            self._owner.keep.append(function)
        with self._owner as pointer:
            check(lib.clip_plugin_watch(pointer, function, None))

    # ------------------------------------------------------------ encoders and augmentations

    def describe_encoder(self, id: str, config: str | None = None) -> tuple[EncoderInfo, dict[str, tuple[int, ...]]]:
        """Builds an encoder without weights: its facts, and the shapes of the tensors that it needs.

        `config` is a JSON object; None: the encoder's example.
        """
        info = sized(raw.clip_encoder_info)
        tensors: dict[str, tuple[int, ...]] = {}
        call = Call()

        def visit(name: bytes, shape: int, rank: int) -> None:
            tensors[name.decode()] = tuple((ctypes.c_uint64 * rank).from_address(shape)) if rank else ()

        visitor = call.visitor(raw.clip_tensor_fn, visit)
        with self._owner as pointer:
            call.check(
                lib.clip_encoder_describe(pointer, text(id), optional_text(config), ctypes.byref(info), visitor, None)
            )
        return read(info, EncoderInfo), tensors

    def recommend_encoders(
        self,
        needs: str,
        tower: Tower = Tower.IMAGE,
        *,
        max_parameters: int = 0,
        max_milliseconds: float = 0,
        measure: bool = False,
    ) -> list[Recommendation]:
        """Ranks the encoders of a tower by needs such as "local-detail:3,low-latency", the best first."""
        options = sized(
            raw.clip_recommend_options,
            tower=tower,
            flags=raw.CLIP_RECOMMEND_MEASURE if measure else 0,
            needs=text(needs),
            max_parameters=unsigned(max_parameters, 64, "max_parameters"),
            max_milliseconds=max_milliseconds,
        )
        found: list[Recommendation] = []
        call = Call()
        visit = call.visitor(raw.clip_recommendation_fn, lambda item: found.append(read(item.contents, Recommendation)))
        with self._owner as pointer:
            call.check(lib.clip_recommend_encoders(pointer, ctypes.byref(options), visit, None))
        return found

    def augmentations(self, op: str | None = None) -> list[AugmentationInfo]:
        """The loaded augmentations, or the one with this op or id."""
        found: list[AugmentationInfo] = []
        call = Call()
        visit = call.visitor(raw.clip_augmentation_fn, lambda info: found.append(_augmentation(info.contents)))
        with self._owner as pointer:
            call.check(lib.clip_augmentations_visit(pointer, optional_text(op), visit, None))
        return found

    def initialize_model(self, folder: str | os.PathLike[Any], seed: int = 0) -> None:
        """Writes random initial weights into a model folder that has none: the start of training from scratch."""
        with self._owner as pointer:
            check(lib.clip_model_initialize(pointer, path(folder), unsigned(seed, 64, "seed")))


def _augmentation(info: Any) -> AugmentationInfo:
    settings = []
    for index in range(info.setting_count):
        setting = info.settings[index]
        choices: tuple[str, ...] = ()
        default: Any = setting.number
        if setting.choice_count:
            names = (ctypes.c_char_p * setting.choice_count).from_address(setting.choices)
            choices = tuple(name.decode() for name in names)
        if setting.type == raw.CLIP_SETTING_CHOICE:
            default = choices[int(setting.number)]
        elif setting.type == raw.CLIP_SETTING_INTEGER:
            default = int(setting.number)
        elif setting.type == raw.CLIP_SETTING_BOOLEAN:
            default = bool(setting.number)
        elif setting.type == raw.CLIP_SETTING_TEXT:
            default = (setting.text or b"").decode()
        elif setting.type == raw.CLIP_SETTING_NUMBERS:
            default = (
                tuple((ctypes.c_double * setting.number_count).from_address(setting.numbers)) if setting.numbers else ()
            )
        settings.append(
            Setting(
                setting.name.decode(),
                (setting.description or b"").decode(),
                setting.type,
                setting.low,
                setting.high,
                default,
                choices,
            )
        )
    return AugmentationInfo(
        info.kind,
        info.id.decode(),
        info.op.decode(),
        (info.description or b"").decode(),
        info.probability,
        tuple(settings),
    )


_default: Runtime | None = None
_default_lock = threading.Lock()


def default_runtime() -> Runtime:
    """The runtime of calls that are given none: made by the first of them, with as many threads as processors."""
    global _default
    with _default_lock:
        if _default is None or _default.closed:
            _default = Runtime(threads=min(len(os.sched_getaffinity(0)), 256))
        return _default
