"""A plugin in Python: an encoder and an augmentation.   write_plugin.py FOLDER IMAGE"""

import json
import sys
from pathlib import Path

import clipcore
from clipcore.plugins import Encoder, ImageAugmentation, Plugin, SettingSpec, SettingType


class MeanColor(Encoder):
    """An image's mean colour through one linear layer."""

    id = "example.encoder.mean-color"
    tower = clipcore.Tower.IMAGE
    example = '{"size": 32, "width": 8}'

    def build(self, builder):
        size = builder.need_int("size", 1, 1024)
        width = builder.need_int("width", 1, 4096)
        pixels = builder.op("pixels", height=size, width=size)
        return builder.op("linear", builder.op("mean_rows", pixels), "projection", features=width)


class Posterize(ImageAugmentation):
    """Keeps the upper bits of each channel."""

    id, op = "example.augment.posterize", "python_posterize"
    settings = [SettingSpec("bits", SettingType.INTEGER, default=4, low=1, high=8)]

    def __init__(self, bits):
        self.table = bytes(value >> (8 - bits) << (8 - bits) for value in range(256))

    def apply(self, image, random):
        height, width, channels = image.shape
        pixels = bytes(memoryview(image)).translate(self.table)
        return memoryview(pixels).cast("B", [height, width, channels])


def main(folder: str, image: str) -> None:
    runtime = clipcore.Runtime()
    runtime.register(Plugin("example.python", [MeanColor(), Posterize]))

    pipeline = clipcore.Pipeline([{"op": "python_posterize", "bits": 1}], runtime)
    result = pipeline.image(image, seed=1, index=0)
    print("values", sorted(set(bytes(result.pixels))))

    info, tensors = runtime.describe_encoder(MeanColor.id)
    print(info.features, "features of", tensors)
    Path(folder).mkdir(parents=True, exist_ok=True)
    tower = {"encoder": MeanColor.id, "config": {"size": 32, "width": 8}, "preprocess": {"size": 32}}
    config = {"version": 1, "embed_dim": 8, "image": tower}
    Path(folder, "clipcore.json").write_text(json.dumps(config))
    runtime.initialize_model(folder, seed=1)
    model = clipcore.Model(folder, runtime, towers=clipcore.Tower.IMAGE)
    print("embedding", list(model.encode_images([image])[0]))


main(*sys.argv[1:])
