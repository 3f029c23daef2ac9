"""What the tests share: the repository's model and images, and a small model to train."""

import json
import os
import shutil
from pathlib import Path

import clipcore

ROOT = Path(os.environ["CLIPCORE_ROOT"])  # of the repository; the package is the installed one
EMOJI = ROOT / "Models/emoji"
IMAGES = ROOT / "Examples/images"
CAT = IMAGES / "cat.png"


def small_model(folder):
    """A model folder with random weights: CLIP with one layer in each tower."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("merges.txt", "vocab.json", "tokenizer_config.json"):
        shutil.copyfile(EMOJI / name, folder / name)
    config = json.loads((EMOJI / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 32
    config["model_cfg"]["vision_cfg"].update(image_size=32, layers=1, width=32, patch_size=16)
    config["model_cfg"]["text_cfg"].update(layers=1, width=32, heads=2)
    config["preprocess_cfg"]["size"] = 32
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    clipcore.default_runtime().initialize_model(folder, seed=3)
    return folder


def data(value):
    """The bytes of an array."""
    return bytes(memoryview(value))
