"""Models, images, files, data sets, training, index, analysis."""

import array
import dataclasses
import math
import pickle
import tempfile
import unittest
from pathlib import Path

import clipcore
from clipcore import DatasetOptions, EncodeOptions, Image, Model, PixelFormat, Storage, Tower, TrainerOptions
from support import CAT, EMOJI, IMAGES, ROOT, data, small_model

try:
    import numpy as np
    import PIL.Image
except ImportError:
    np = None


class Embeddings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = Model(EMOJI)
        cls.expected = data(cls.model.encode_images([CAT]))

    def test_images_in(self):
        image = Image(CAT)
        pixels = image.pixels
        flat = pixels.cast("B")
        for name, value in {
            "path": str(CAT),
            "image": image,
            "bytes": CAT.read_bytes(),
            "bytearray": bytearray(CAT.read_bytes()),
            "memoryview": memoryview(CAT.read_bytes()),
            "pixels": pixels,
            "array": memoryview(array.array("B", flat)).cast("B", pixels.shape),
        }.items():
            self.assertEqual(data(self.model.encode_images([value])), self.expected, name)

    @unittest.skipIf(np is None, "without NumPy")
    def test_numpy(self):
        pixels = np.asarray(Image(CAT))
        h, w, c = pixels.shape
        wide = np.zeros((h, w + 7, c), np.uint8)
        wide[:, 3 : 3 + w] = pixels
        read_only = pixels.copy()
        read_only.flags.writeable = False
        for value in (
            pixels,
            wide[:, 3 : 3 + w],
            pixels[::-1][::-1],
            pixels[:, ::-1][:, ::-1].copy(),
            np.asfortranarray(pixels),
            read_only,
            PIL.Image.open(CAT),
            PIL.Image.fromarray(pixels),
        ):
            self.assertEqual(data(self.model.encode_images([value])), self.expected)
        mirrored = data(self.model.encode_images([pixels[:, ::-1]]))
        self.assertEqual(mirrored, data(self.model.encode_images([pixels[:, ::-1].copy()])))
        self.assertNotEqual(mirrored, self.expected)
        stack = np.stack([pixels, pixels])
        self.assertEqual(data(self.model.encode_images(stack)), self.expected * 2)
        # What is written to is the caller's memory, and what is read too.
        out = np.zeros((2, 128), np.float32)
        self.assertIs(self.model.encode_images(stack, out=out), out)
        self.assertEqual(out.tobytes(), self.expected * 2)
        self.assertIs(type(self.model.encode_texts(["a"])), np.ndarray)
        self.assertTrue(
            np.array_equal(self.model.similarity(out.astype(np.float64), out), self.model.similarity(out, out))
        )
        tokens, lengths = self.model.tokenize(["a cat"])
        self.assertEqual(
            data(self.model.encode_tokens(tokens.astype(np.int64))), data(self.model.encode_texts(["a cat"]))
        )
        with self.assertRaises(clipcore.InvalidArgumentError):
            self.model.encode_tokens(tokens.astype(np.int64) + (1 << 32))
        with self.assertRaises(TypeError):
            self.model.encode_tokens(tokens.astype(np.float32))
        for wrong in (np.zeros((2, 128)), np.zeros((2, 256), np.float32)[:, ::2], np.zeros((1, 128), np.float32)):
            with self.assertRaises(clipcore.InvalidArgumentError):
                self.model.encode_images(stack, out=wrong)
        with self.assertRaises((BufferError, ValueError)):
            self.model.encode_images([pixels], out=read_only)

    @unittest.skipIf(np is None, "without NumPy")
    def test_pil_modes(self):
        photo = PIL.Image.open(IMAGES / "dog.png")
        rgb = photo.convert("RGB")
        for mode in ("RGB", "RGBA", "L", "P", "1", "CMYK", "LA"):
            image = rgb.convert(mode)
            expected = self.model.encode_images([image.convert("RGB")])
            self.assertEqual(data(self.model.encode_images([image])), data(expected), mode)

    def test_array_types(self):
        gray = memoryview(bytes(range(256))).cast("B", [16, 16])
        self.assertEqual(len(data(self.model.encode_images([gray]))), 512)
        for wrong in (
            3,
            None,
            memoryview(array.array("f", [0] * 48)).cast("B").cast("f", [4, 4, 3]),
            memoryview(bytes(32)).cast("B", [4, 4, 2]),
        ):
            with self.assertRaises(TypeError):
                self.model.encode_images([wrong])
        for wrong in (str(CAT), CAT, Image(CAT), CAT.read_bytes(), memoryview(bytes(48)).cast("B", [4, 4, 3])):
            with self.assertRaises(TypeError):
                self.model.encode_images(wrong)
        with self.assertRaises(TypeError):
            self.model.encode_texts("a cat")
        with self.assertRaises(TypeError):
            self.model.encode_texts([b"a cat"])

    def test_halves(self):
        model = self.model
        self.assertEqual(data(model.encode_pixels(model.preprocess([CAT]))), self.expected)
        self.assertEqual(data(model.encode_pixels(model.normalize_bytes(model.preprocess_bytes([CAT])))), self.expected)
        tokens, lengths = model.tokenize(["a cat", "a slice of pizza"])
        self.assertEqual(list(lengths), [4, 8])
        self.assertEqual(data(model.encode_tokens(tokens)), data(model.encode_texts(["a cat", "a slice of pizza"])))
        rows = model.encode_texts(["a", "b"])
        self.assertEqual(data(model.similarity([rows[0]], rows)), data(model.similarity(rows, rows))[:8])
        self.assertEqual(data(model.similarity([list(rows[0])], rows)), data(model.similarity([rows[0]], rows)))

    def test_options(self):
        raw = self.model.encode_texts(["a cat"], EncodeOptions(raw=True))
        self.assertNotEqual(data(raw), data(self.model.encode_texts(["a cat"])))
        with self.assertRaises(clipcore.LimitError):
            self.model.encode_texts(["cat " * 50])
        self.model.encode_texts(["cat " * 50], EncodeOptions(truncate=True))
        transparent = memoryview(bytes([255, 0, 0, 0] * 16)).cast("B", [4, 4, 4])
        one, other = (self.model.encode_images([transparent], EncodeOptions(background=c)) for c in (0, 0xFFFFFF))
        self.assertNotEqual(data(one), data(other))
        done = []
        self.model.encode_texts(["a"] * 5, EncodeOptions(progress=lambda n, total: done.append((n, total))))
        self.assertEqual(done[-1], (5, 5))

    def test_model(self):
        info = self.model.info
        self.assertEqual((info.embedding_width, info.layout, info.towers), (128, "open_clip", Tower.BOTH))
        self.assertEqual(self.model.encoder(Tower.IMAGE), "clipcore.encoder.clip-vit")
        model = Model(EMOJI, towers=Tower.TEXT, storage=Storage.F16)
        self.assertEqual((model.info.towers, model.info.storage), (Tower.TEXT, Storage.F16))
        with self.assertRaises(clipcore.UnsupportedError):
            model.encode_images([CAT])
        with tempfile.TemporaryDirectory() as folder:
            model = Model(small_model(folder))
            before, copy = data(model.encode_texts(["a"])), model.snapshot()
            self.assertEqual(data(copy.encode_texts(["a"])), before)
            model.swap(storage=Storage.BF16)
            self.assertEqual(model.info.storage, Storage.BF16)
            self.assertEqual(data(copy.encode_texts(["a"])), before)
            copy.export(Path(folder, "exported"), layout=clipcore.Layout.OPEN_CLIP)
            self.assertEqual(data(Model(Path(folder, "exported")).encode_texts(["a"])), before)
            with self.assertRaises(clipcore.MismatchError):
                copy.swap(folder=EMOJI)

    def test_sizes_after_a_swap(self):
        with tempfile.TemporaryDirectory() as folder:
            model = Model(small_model(folder))
            opened, before = model.info, model.preprocess([CAT])
            model.swap(Tower.IMAGE, image_size=(64, 64))
            now = EncodeOptions(sizes=model.info)
            after = model.preprocess([CAT], now)
            self.assertEqual((len(data(before)), len(data(after))), (3 * 32 * 32 * 4, 3 * 64 * 64 * 4))
            self.assertEqual(len(data(model.encode_pixels(after, now))), 32 * 4)
            with self.assertRaises(clipcore.MismatchError):
                model.encode_pixels(before)
            with self.assertRaises(clipcore.MismatchError):
                model.preprocess([CAT])
            with self.assertRaisesRegex(clipcore.InvalidArgumentError, "rows of 3072"):  # what C takes without sizes
                model.encode_pixels(np.ones((1, 3, 16, 16), "f4") if np else [1.0] * 768)
            part = dataclasses.replace(opened, image_width=64, image_height=0, context_length=0)
            with self.assertRaisesRegex(clipcore.InvalidArgumentError, "rows of 6144"):
                model.encode_pixels(before, EncodeOptions(sizes=part))
            snapshot = model.snapshot()
            self.assertEqual(data(snapshot.preprocess([CAT])), data(after))

    def test_files(self):
        files = sorted(IMAGES.glob("*.png"))
        embeddings, errors = self.model.encode_files([*files, ROOT / "README.md", "nowhere"])
        self.assertEqual(sorted(errors), [len(files), len(files) + 1])
        self.assertIsInstance(errors[len(files) + 1], clipcore.NotFoundError)
        self.assertEqual(data(embeddings)[: 512 * len(files)], data(self.model.encode_images(files)))
        seen = []
        with self.assertRaises(clipcore.CancelledError):
            self.model.encode_files(files, lambda i, row, error: seen.append(i) or len(seen) < 2)
        self.assertEqual(seen, [0, 1])
        members = clipcore.archive(ROOT / "Examples/emoji-pairs.tar")
        images = [part for name, part in members if name.endswith(".png")]
        self.assertEqual(len(images), 256)
        self.assertFalse(self.model.encode_files(images[:2])[1])

    def test_image(self):
        image = Image(CAT)
        self.assertEqual(image.pixels.shape, (image.height, image.width, image.format.channels))
        pixels = image.pixels
        image.close()
        self.assertEqual(len(bytes(pixels)), pixels.nbytes)  # kept by the view
        with self.assertRaises(clipcore.InvalidArgumentError):
            image.pixels
        made = Image.create(PixelFormat.RGB, 3, 2)
        made.pixels[0, 1, 2] = 7
        self.assertEqual(bytes(made.pixels), bytes([0, 0, 0, 0, 0, 7] + [0] * 12))
        self.assertEqual(data(clipcore.resize(made, 3, 2)), bytes(made.pixels))
        self.assertIn("png", clipcore.image_endings())
        for wrong in (b"", b"no image", CAT.read_bytes()[:100]):
            with self.assertRaises(clipcore.CLIPError):
                Image(wrong)

    def test_runtime(self):
        messages = []
        runtime = clipcore.Runtime(
            threads=3, log=lambda level, text: messages.append((level, text)), kernels="reference"
        )
        self.assertEqual(runtime.threads, 3)
        runtime.log(clipcore.LogLevel.INFO, "one")
        self.assertIn((clipcore.LogLevel.INFO, "one"), messages)
        kernels = [item for item in runtime.plugins() if item.kind == clipcore.PluginKind.KERNELS and item.active]
        self.assertEqual([item.id for item in kernels], ["clipcore.kernels.reference"])
        info, tensors = runtime.describe_encoder("clipcore.encoder.clip-vit")
        self.assertEqual(info.parameters, sum(map(math.prod, tensors.values())))
        self.assertTrue(runtime.recommend_encoders("local-detail:3"))
        jitter = runtime.augmentations("color_jitter")[0]
        self.assertIn("brightness", [setting.name for setting in jitter.settings])
        self.assertGreater(len(runtime.augmentations()), 10)
        with self.assertRaises(clipcore.NotFoundError):
            runtime.unload_plugin("nothing")
        runtime.unload_plugin(next(item.plugin for item in runtime.plugins() if item.id == "clipcore.codec.png"))
        with self.assertRaises(clipcore.CLIPError):
            Image(CAT, runtime)
        runtime.watch_plugins()


class Data(unittest.TestCase):
    def test_dataset(self):
        model = Model(EMOJI, without_weights=True)
        options = DatasetOptions(
            batch_size=16, ordered=True, images=True, files=True, all_captions=True, caption_fields=["en"], workers=2
        )
        dataset = clipcore.Dataset([ROOT / "Examples/emoji-pairs.tar"], model, options)
        first = next(dataset)
        state = dataset.save()
        second = next(dataset)
        dataset.restore(state)
        again = next(dataset)
        self.assertEqual((again.keys, data(again.pixels)), (second.keys, data(second.pixels)))
        self.assertEqual(len(first), 16)
        self.assertEqual(first.captions, [captions[0] for captions in first.all_captions])
        self.assertEqual(data(model.tokenize(first.captions)[0]), data(first.tokens))
        self.assertEqual(data(model.preprocess(first.files)), data(first.pixels))
        self.assertEqual(data(model.preprocess(first.images)), data(first.pixels))
        self.assertEqual(len(first) + len(second) + sum(len(batch) for batch in dataset), 256)
        self.assertEqual(dataset.counters.samples, 256)
        with self.assertRaises(clipcore.FormatError):
            dataset.restore(b"x")

    def test_dataset_of_a_swapped_and_a_closed_model(self):
        with tempfile.TemporaryDirectory() as folder:
            model = Model(small_model(folder))
            options = DatasetOptions(batch_size=64, ordered=True, caption_fields=["en"], workers=2)
            expected = list(clipcore.Dataset([ROOT / "Examples/emoji-pairs.tar"], model, options))
            dataset = clipcore.Dataset([ROOT / "Examples/emoji-pairs.tar"], model, options)
            found = [next(dataset)]
            model.swap(Tower.IMAGE, image_size=(64, 64))
            found.append(next(dataset))
            model.close()
            found += dataset
            for a, b in zip(found, expected):
                self.assertEqual((a.keys, data(a.pixels), data(a.tokens)), (b.keys, data(b.pixels), data(b.tokens)))
            self.assertEqual((len(found), len(data(found[1].pixels))), (4, 64 * 3 * 32 * 32 * 4))

    def test_a_data_set_that_is_not_opened_holds_nothing(self):
        model, flip = Model(EMOJI, without_weights=True), clipcore.Pipeline([])
        closed = clipcore.Pipeline([])
        closed.close()
        for pipelines in (dict(image_pipeline=flip, text_pipeline=closed), dict(image_pipeline=flip)):
            with self.assertRaises(clipcore.CLIPError):
                clipcore.Dataset([] if "text_pipeline" not in pipelines else [IMAGES], model, **pipelines)
            self.assertEqual([handle._owner._users for handle in (model, flip, model.runtime)], [0, 0, 0])

    def test_a_finalizer_closes_in_the_midst_of_a_call(self):
        lock = clipcore.Pipeline([])._owner._lock
        with lock:
            self.assertTrue(lock.acquire(blocking=False))
            lock.release()

    def test_pipeline(self):
        pipeline = clipcore.Pipeline([{"op": "random_horizontal_flip", "p": 1}])
        once = pipeline.image(CAT, 1, 2)
        self.assertEqual(bytes(pipeline.image(once, 1, 2).pixels), bytes(Image(CAT).pixels))
        words = clipcore.Pipeline('[{"op": "typo_noise", "p": 1}]')
        self.assertEqual(words.text("a b c d e f", 1, 2), words.text("a b c d e f", 1, 2))
        self.assertEqual(words.failures, 0)
        with self.assertRaisesRegex(clipcore.CLIPError, "no_such"):
            clipcore.Pipeline([{"op": "no_such"}])


class Training(unittest.TestCase):
    def test_steps(self):
        with tempfile.TemporaryDirectory() as folder:
            model = Model(small_model(folder))
            options = TrainerOptions(
                losses=[clipcore.LossTerm(clipcore.Loss.CONTRASTIVE, label_smoothing=0.1)],
                learning_rate=1e-3,
                groups=[clipcore.TensorGroup("logit_scale", 0)],
                average_decay=0.9,
                seed=1,
            )
            trainer = clipcore.Trainer(model, options)
            images, texts = sorted(IMAGES.glob("*.png"))[:4], ["bicycle", "cat", "dog", "guitar"]
            before = data(model.encode_texts(texts))
            first = trainer.step(images, texts)
            tokens, pixels = model.tokenize(texts)[0], model.preprocess(images)
            self.assertAlmostEqual(
                trainer.evaluate(images, texts).loss, trainer.evaluate(pixels=pixels, tokens=tokens).loss
            )
            trainer.set_learning_rate(1e-4)
            trainer.save(Path(folder, "saved"), note="here")
            second = trainer.step(pixels=pixels, tokens=tokens)
            self.assertEqual((second.step, second.learning_rate), (2, 1e-4))
            self.assertNotEqual(second.loss, first.loss)
            self.assertEqual(trainer.resume(Path(folder, "saved")), "here")
            self.assertEqual(trainer.step(pixels=pixels, tokens=tokens), second)
            count, rate = trainer.tensors()["logit_scale"]
            self.assertEqual((count, rate), (1, 0))
            self.assertNotEqual(
                data(trainer.read("text_projection")),
                data(trainer.read("text_projection", clipcore.TensorKind.AVERAGE)),
            )
            with self.assertRaises(clipcore.NotFoundError):
                trainer.read("nothing")
            trainer.update_model(model)
            trained = data(model.encode_texts(texts))
            self.assertNotEqual(trained, before)
            trainer.export(Path(folder, "exported"))
            self.assertEqual(data(Model(Path(folder, "exported")).encode_texts(texts)), trained)
            expected = trainer.evaluate(pixels=pixels, tokens=tokens)
            model.swap(Tower.IMAGE, image_size=(64, 64))
            self.assertEqual(trainer.evaluate(pixels=pixels, tokens=tokens), expected)
            with self.assertRaises(clipcore.InvalidArgumentError):
                trainer.evaluate(pixels=model.preprocess(images, EncodeOptions(sizes=model.info))[:1], tokens=tokens[:1])
            model.swap(Tower.IMAGE, image_size=(32, 32))
            teacher = clipcore.Trainer(model, TrainerOptions(losses=[clipcore.LossTerm(clipcore.Loss.DISTILLATION)]))
            rows = Model(EMOJI).encode_texts(texts)
            logits = Model(EMOJI).similarity(rows, rows)
            a = teacher.evaluate(
                images, texts, teacher=clipcore.Teacher(images=rows, texts=rows, scale=Model(EMOJI).info.logit_scale)
            )
            b = teacher.evaluate(images, texts, teacher=clipcore.Teacher(logits=logits))
            self.assertAlmostEqual(a.loss, b.loss, places=5)
            for wrong in (
                dict(images=images),
                dict(images=images, texts=texts[:2]),
                dict(images=images, texts=texts, tokens=tokens),
                dict(images=images, texts=texts, teacher=clipcore.Teacher(logits=[1.0])),
            ):
                with self.assertRaises(clipcore.InvalidArgumentError):
                    teacher.step(**wrong)


class Searching(unittest.TestCase):
    def test_index(self):
        model = Model(EMOJI)
        files = sorted(IMAGES.glob("*.png"))
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "x.index")
            with self.assertRaises(clipcore.NotFoundError):
                clipcore.Index(place)
            made = clipcore.fingerprint(EMOJI)
            with clipcore.Index(place, fingerprint=made, embedding_width=128) as index:
                index.put(files, model.encode_images(files), [b"%d" % i for i in range(len(files))])
                self.assertEqual((len(index), index.fingerprint), (len(files), made))
                best = index.search(model.encode_texts(["a cat"]), count=2)
                self.assertEqual((best[0].name, best[0].metadata), (str(CAT), b"%d" % files.index(CAT)))
                others = index.search(model.encode_texts(["a cat"]), filter=lambda entry: entry.name != str(CAT))
                self.assertNotIn(CAT, [Path(entry.name) for entry in others])
                self.assertEqual(index.search(model.encode_texts(["a cat"]), threshold=0.99), [])
                index.put([b"again\xff"], model.encode_images([CAT]))
                a, b = index.duplicates()[0]
                self.assertEqual({a.key, b.key}, {bytes(CAT), b"again\xff"})
                groups = [{entry.key for entry in group} for group in index.groups(0.9999)]
                self.assertEqual(groups, [{bytes(CAT), b"again\xff"}])
                entry, row = index.get(b"again\xff")
                self.assertEqual((entry.metadata, len(row)), (b"", 128))
                index.rename([b"again\xff"], ["again"])
                self.assertEqual([entry.name for entry in index.entries("again")], ["again"])
                self.assertTrue("again" in index and "nothing" not in index)
                self.assertEqual(index.remove(["again", "nothing"]), 1)
                with self.assertRaises(clipcore.InvalidArgumentError):
                    index.put(["a"], [[0.0] * 128])
                for wrong in ([1.0] * 127, [[1.0] * 128] * 2):
                    with self.assertRaises(clipcore.InvalidArgumentError):
                        index.search(wrong)
            with self.assertRaises(clipcore.InvalidArgumentError):
                index.info
            with self.assertRaises(clipcore.MismatchError):
                clipcore.Index(place, fingerprint="other", embedding_width=128)

    def test_analysis(self):
        model = Model(EMOJI)
        names = ["bicycle", "cat", "dog", "guitar", "pizza"]
        images, texts = model.encode_images([IMAGES / f"{name}.png" for name in names]), model.encode_texts(names)
        analysis, pairs = clipcore.analyze(images, texts)
        self.assertEqual(analysis.image_to_text.recall_at_1, sum(pair.text_rank == 1 for pair in pairs) / len(names))
        with self.assertRaises(clipcore.InvalidArgumentError):
            clipcore.analyze(images, [[1.0] * 3])
        score, level, gaps = clipcore.modality_gap("text", "image")
        self.assertEqual(level, "very high")
        self.assertAlmostEqual(score, sum(gap.gap * gap.weight for gap in gaps), places=6)
        self.assertTrue(clipcore.catalogue("modalities"))
        with self.assertRaises(clipcore.NotFoundError):
            clipcore.modality_gap("text", "taste")


class Errors(unittest.TestCase):
    def test_kinds(self):
        with self.assertRaisesRegex(clipcore.NotFoundError, "nowhere") as caught:
            Model("nowhere")
        self.assertEqual(caught.exception.status, clipcore.Status.NOT_FOUND)
        self.assertIsInstance(caught.exception, LookupError)
        for kind in clipcore.CLIPError.__subclasses__():
            self.assertIs(type(pickle.loads(pickle.dumps(kind("message")))), kind)
        with self.assertRaises(clipcore.InvalidArgumentError):
            Model(EMOJI).encode_texts(["a\0b"])
        with self.assertRaises(ValueError):
            Model("a\0b")
        for value in (-1, 1 << 32):
            with self.assertRaises(clipcore.InvalidArgumentError):
                clipcore.Runtime(threads=value)
        with self.assertRaises(clipcore.InvalidArgumentError):
            Model(EMOJI).encode_texts([])


if __name__ == "__main__":
    unittest.main()
