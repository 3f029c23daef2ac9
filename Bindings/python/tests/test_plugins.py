"""Plugins written in Python."""

import json
import tempfile
import threading
import unittest
from pathlib import Path

import clipcore
from clipcore.plugins import (
    CodecHeader,
    Encoder,
    ImageAugmentation,
    ImageCodec,
    Plugin,
    SettingSpec,
    SettingType,
    TextAugmentation,
)
from support import CAT, ROOT, data


class Invert(ImageAugmentation):
    id, op = "test.augment.invert", "invert_python"
    description = "Inverts"
    settings = [
        SettingSpec("above", SettingType.INTEGER, 0, 0, 255),
        SettingSpec("share", SettingType.NUMBER, 0.5),
        SettingSpec("on", SettingType.BOOLEAN, True),
        SettingSpec("mode", SettingType.CHOICE, "all", choices=["all", "none", "fail"]),
        SettingSpec("word", SettingType.TEXT, "w"),
        SettingSpec("list", SettingType.NUMBERS, [0.25, 0.75], count=(1, 4)),
    ]
    made = []

    def __init__(self, above, share, on, mode, word, list):
        self.mode = mode
        self.made.append((above, share, on, mode, word, list))

    def apply(self, image, random):
        if self.mode == "none":
            return None
        if self.mode == "fail":
            raise ValueError("cannot: äöü" * 400)
        height, width, channels = image.shape
        pixels = bytes(255 - value for value in bytes(memoryview(image)))
        self.drawn = (random.bits(), random.uniform(), random.below(10), random.normal())
        return memoryview(pixels).cast("B", [height, width, channels])


class Reverse(TextAugmentation):
    id, op = "test.augment.reverse", "reverse"

    def apply(self, text, random):
        return {"none": None, "bad": 3, "nul": "a\0b"}.get(text, text[::-1])


class Linear(Encoder):
    id, tower = "test.encoder.linear", clipcore.Tower.IMAGE
    example = '{"sizes": [2, 3], "act": "relu"}'
    strengths = "texture:2"

    def build(self, b):
        if b.get_string("act", "relu") == "raise":
            raise RuntimeError("a build that fails")
        x = b.op("pixels", height=b.get_int("image_height", 8), width=b.get_int("image_width", 8))
        with b.scope("layers"):
            for i, size in enumerate(b.get_ints("sizes")):
                x = b.op("linear", x, f"{i}", features=size, bias=0)
        self.shapes = b.shape(x)
        self.builder = b
        return b.op("mean_rows", x)


class Raw(ImageCodec):
    """ "RAW!", width, height, gray bytes."""

    id, extensions = "test.codec.raw", "raw"

    def recognises(self, start):
        return start[:4] == b"RAW!"

    def read_header(self, data):
        return CodecHeader(data[4], data[5], clipcore.PixelFormat.GRAY)

    def decode(self, data):
        height = data[5] + (1 if data[6:] == b"wrong" else 0)
        return memoryview(data[6:].ljust(data[4] * height, b"\0")[: data[4] * height]).cast("B", [height, data[4]])


class Plugins(unittest.TestCase):
    def setUp(self):
        self.runtime = clipcore.Runtime(threads=2)
        self.runtime.register(Plugin("test.python", [Invert, Reverse, Linear(), Raw()], version="1.2.3", license="MIT"))

    def test_items(self):
        items = {item.id: item for item in self.runtime.plugins() if item.plugin == "test.python"}
        self.assertEqual(set(items), {Invert.id, Reverse.id, Linear.id, Raw.id})
        self.assertEqual((items[Invert.id].version, items[Invert.id].license), ("1.2.3", "MIT"))
        info = self.runtime.augmentations("invert_python")[0]
        self.assertEqual([setting.default for setting in info.settings], [0, 0.5, True, "all", "w", (0.25, 0.75)])
        with self.assertRaises(clipcore.CLIPError):
            self.runtime.register(Plugin("test.python", [Invert]))

    def test_augmentation(self):
        step = {"op": "invert_python", "above": 3, "share": 0.25, "on": False, "word": "ü", "list": [1, 0, 0.5]}
        pipeline = clipcore.Pipeline([step], self.runtime)
        self.assertEqual(Invert.made[-1], (3, 0.25, False, "all", "ü", [1, 0, 0.5]))
        gray = memoryview(bytes(range(12))).cast("B", [3, 4])
        result = pipeline.image(gray, 1, 2)
        self.assertEqual(bytes(result.pixels), bytes(255 - value for value in range(12)))
        wide = memoryview(bytearray(64)).cast("B", [4, 16])
        self.assertEqual(pipeline.image(wide, 1, 2).width, 16)
        same = clipcore.Pipeline([{"op": "invert_python", "mode": "none"}], self.runtime)
        self.assertEqual(bytes(same.image(gray, 1, 2).pixels), bytes(gray))
        failing = clipcore.Pipeline([{"op": "invert_python", "mode": "fail"}], self.runtime)
        with self.assertRaisesRegex(clipcore.PluginError, "ValueError: cannot: äöü"):
            failing.image(gray, 1, 2)
        texts = clipcore.Pipeline([{"op": "reverse"}], self.runtime)
        self.assertEqual((texts.text("añb", 1, 2), texts.text("none", 1, 2)), ("bña", "none"))
        for wrong in ("bad", "nul"):
            with self.assertRaises(clipcore.CLIPError):
                texts.text(wrong, 1, 2)

    def test_in_workers(self):
        pipeline = clipcore.Pipeline([{"op": "invert_python"}], self.runtime)
        options = clipcore.DatasetOptions(
            ordered=True, images=True, workers=4, prefetch=64, caption_fields=["en"], batch_size=64
        )
        pairs = [ROOT / "Examples/emoji-pairs.tar"]
        plain = list(clipcore.Dataset(pairs, options=options, runtime=self.runtime))
        inverted = list(clipcore.Dataset(pairs, options=options, runtime=self.runtime, image_pipeline=pipeline))
        for a, b in zip(plain, inverted):
            for one, other in zip(a.images, b.images):
                self.assertEqual(bytes(255 - value for value in data(one)[:96]), data(other)[:96])

    def test_encoder(self):
        info, tensors = self.runtime.describe_encoder(Linear.id)
        self.assertEqual(tensors, {"layers.0.weight": (2, 3), "layers.1.weight": (3, 2)})
        self.assertEqual(info.features, 3)
        with self.assertRaisesRegex(clipcore.CLIPError, "a build that fails"):
            self.runtime.describe_encoder(Linear.id, '{"act": "raise"}')
        with tempfile.TemporaryDirectory() as folder:
            tower = {"encoder": Linear.id, "config": json.loads(Linear.example), "preprocess": {"size": 8}}
            Path(folder, "clipcore.json").write_text(json.dumps({"version": 1, "embed_dim": 3, "image": tower}))
            self.runtime.initialize_model(folder, 1)
            model = clipcore.Model(folder, self.runtime, towers=clipcore.Tower.IMAGE)
            row = model.encode_images([CAT])
            # Calls go on after the runtime is closed, and when Python has forgotten the plugin.
            self.runtime.close()
            pixels = model.preprocess([memoryview(bytes(48)).cast("B", [4, 4, 3])])
            self.assertEqual(len(data(model.encode_pixels(pixels))), 12)
            self.assertEqual(len(data(row)), 12)

    def test_builder_is_of_its_call(self):
        linear = Linear()
        runtime = clipcore.Runtime()
        runtime.register(Plugin("test.one", [linear]))
        runtime.describe_encoder(Linear.id)
        self.assertEqual(linear.shapes, (64, 3, (8, 8)))
        with self.assertRaises(RuntimeError):
            linear.builder.get_int("a", 1)

    def test_codec(self):
        image = clipcore.Image(b"RAW!\x03\x02abcdef", self.runtime)
        self.assertEqual((image.width, image.height, bytes(image.pixels)), (3, 2, b"abcdef"))
        self.assertIn("raw", clipcore.image_endings(self.runtime))
        with self.assertRaisesRegex(clipcore.PluginError, "decode made 3 x 3, read_header 3 x 2"):
            clipcore.Image(b"RAW!\x03\x02wrong", self.runtime)
        with self.assertRaisesRegex(clipcore.PluginError, "IndexError"):
            clipcore.Image(b"RAW!", self.runtime)

    def test_threads(self):
        pipeline = clipcore.Pipeline([{"op": "reverse"}], self.runtime)
        wrong = []

        def use():
            for i in range(200):
                if pipeline.text(f"a{i}", 1, i) != f"a{i}"[::-1]:
                    wrong.append(i)

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
