"""Exceptions in callbacks, threads, lifetimes, leaks."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref
from pathlib import Path

import clipcore
from clipcore import EncodeOptions, Image, Model
from support import CAT, EMOJI, IMAGES, data, small_model


class Raised(Exception):
    pass


def raising(*_):
    raise Raised("in a callback")


class Callbacks(unittest.TestCase):
    def test_exceptions(self):
        model, runtime = Model(EMOJI), clipcore.Runtime()
        with (
            tempfile.TemporaryDirectory() as folder,
            clipcore.Index(Path(folder, "x"), fingerprint="f", embedding_width=128) as index,
        ):
            index.put(["a", "b"], model.encode_texts(["a", "b"]))
            row = model.encode_texts(["a"])
            for call in (
                lambda: Model(EMOJI, progress=raising),
                lambda: model.encode_texts(["a"], EncodeOptions(progress=raising)),
                lambda: model.encode_images([CAT], EncodeOptions(progress=raising)),
                lambda: model.encode_files([CAT], raising),
                lambda: model.encode_files([CAT], progress=raising),
                lambda: model.swap(progress=raising),
                lambda: model.export(Path(folder, "m"), progress=raising),
                lambda: index.search(row, filter=raising),
                lambda: index.search(row, filter=lambda entry: entry.nothing),
                lambda: index.visit(raising),
            ):
                with self.assertRaises((Raised, AttributeError)):
                    call()
                model.encode_texts(["still works"])
                self.assertEqual(len(index), 2)
        with self.assertRaises(clipcore.CancelledError):
            model.encode_texts(["a"], EncodeOptions(progress=lambda *_: False))
        with self.assertRaises(KeyboardInterrupt):
            model.encode_texts(["a"] * 40, EncodeOptions(progress=lambda *_: signal.raise_signal(signal.SIGINT)))
        unraisable = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda info: unraisable.append(info.exc_type)
        try:
            clipcore.Runtime(log=raising).log(clipcore.LogLevel.INFO, "heard")
        finally:
            sys.unraisablehook = hook
        self.assertEqual(unraisable, [Raised])
        runtime.close()

    def test_callback_may_call(self):
        model = Model(EMOJI)
        rows = []
        model.encode_texts(["a"] * 3, EncodeOptions(progress=lambda *_: rows.append(data(model.encode_texts(["b"])))))
        self.assertEqual(set(rows), {data(model.encode_texts(["b"]))})

    def test_watch(self):
        with tempfile.TemporaryDirectory() as folder:
            lib = Path(clipcore.__file__).parent / "lib/clipcore/plugins/codec_bmp.so"
            plugin = Path(folder, "bmp.so")
            plugin.write_bytes(lib.read_bytes())
            seen, done = [], threading.Event()
            runtime = clipcore.Runtime(plugin_paths=[plugin])
            runtime.watch_plugins(lambda *what: (seen.append(what), done.set()))
            with self.assertRaises(clipcore.InvalidArgumentError):
                runtime.watch_plugins()
            time.sleep(0.2)
            plugin.write_bytes(b"no plugin")
            self.assertTrue(done.wait(20))
            self.assertEqual(seen[0][1], str(plugin))
            self.assertIsInstance(seen[0][2], clipcore.CLIPError)
            runtime.close()


class Threads(unittest.TestCase):
    def test_at_once(self):
        model = Model(EMOJI, clipcore.Runtime(threads=2))
        images = sorted(IMAGES.glob("*.png"))[:4]
        expected, wrong = [data(model.encode_images([image])) for image in images], []

        def use(number):
            for i in range(25):
                k = (number + i) % len(images)
                if data(model.encode_images([images[k]])) != expected[k]:
                    wrong.append(number)
                if i % 5 == 0:
                    try:
                        model.encode_texts(["a\0"])
                    except clipcore.InvalidArgumentError:
                        pass
                    try:
                        Model(f"nowhere-{number}")
                    except clipcore.NotFoundError as error:  # the message is this thread's
                        if f"nowhere-{number}" not in str(error):
                            wrong.append(str(error))

        threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_other_threads_run(self):
        """A call releases the GIL: Python counts milliseconds while it runs."""
        model = Model(EMOJI, clipcore.Runtime(threads=1))
        model.encode_images([CAT])
        done, ticks = threading.Event(), []

        def tick():
            while not done.is_set():
                time.sleep(0.001)
                ticks.append(None)

        thread = threading.Thread(target=tick)
        thread.start()
        before = len(ticks)
        model.encode_images([CAT] * 64)
        during = len(ticks) - before
        done.set()
        thread.join()
        self.assertGreater(during, 8)

    def test_closed_while_used(self):
        for _ in range(20):
            model = Model(EMOJI)
            threads = [threading.Thread(target=self.until_closed, args=(model,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.005)
            model.close()
            for thread in threads:
                thread.join()
            with self.assertRaises(clipcore.InvalidArgumentError):
                model.info

    def until_closed(self, model):
        try:
            while True:
                model.encode_texts(["a cat"])
        except clipcore.InvalidArgumentError:
            pass

    def test_one_call_of_a_trainer(self):
        with tempfile.TemporaryDirectory() as folder:
            trainer = clipcore.Trainer(Model(small_model(folder)))
            refused = []

            def again(*_):
                try:
                    trainer.tensors()
                except clipcore.InvalidArgumentError as error:
                    refused.append(error)

            trainer.export(Path(folder, "x"), progress=again)
            self.assertTrue(refused)


class Lifetimes(unittest.TestCase):
    def test_any_order(self):
        runtime = clipcore.Runtime()
        model = Model(EMOJI, runtime)
        image = Image(CAT, runtime)
        runtime.close()
        runtime.close()
        row = model.encode_texts(["a"])
        self.assertEqual(data(model.encode_texts(["a"])), data(row))
        with self.assertRaises(clipcore.InvalidArgumentError):
            model.encode_images([CAT])  # a path needs the runtime
        with self.assertRaises(clipcore.InvalidArgumentError):
            Model(EMOJI, runtime)
        pixels = image.pixels
        del runtime, image
        gc.collect()
        self.assertEqual(len(data(model.encode_images([pixels]))), 512)
        with model:
            pass
        self.assertTrue(model.closed)

    def test_exit(self):
        """A process ends well with all kinds of handles open, threads of the library among them."""
        program = f"""if True:
            import threading, clipcore
            from clipcore import DatasetOptions
            runtime = clipcore.Runtime(threads=3, log=lambda *_: None)
            runtime.watch_plugins(lambda *_: None)
            class Same(clipcore.plugins.ImageAugmentation):
                id, op = "test.augment.same", "same"
                def apply(self, image, random): return image
            runtime.register(clipcore.plugins.Plugin("test.same", [Same]))
            model = clipcore.Model({str(EMOJI)!r}, runtime)
            options = DatasetOptions(epochs=0, workers=4, prefetch=64, caption_fields=["en"])
            pipeline = clipcore.Pipeline([{{"op": "same"}}], runtime)
            dataset = clipcore.Dataset([{str(EMOJI.parents[1] / "Examples/emoji-pairs.tar")!r}], model, options, image_pipeline=pipeline)
            next(dataset)
            def use():
                while True: model.encode_texts(["a cat"])
            threading.Thread(target=use, daemon=True).start()
            next(dataset)
            print("end")
        """
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
            )
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "end\n", ""))


class Leaks(unittest.TestCase):
    def test_ten_thousand_calls(self):
        with tempfile.TemporaryDirectory() as folder:
            model = Model(small_model(folder))
            index = clipcore.Index(Path(folder, "x"), fingerprint="f", embedding_width=32)
            index.put(["a", "b"], model.encode_texts(["a", "b"]))
            pixels = clipcore.resize(CAT, 32, 32)
            words = clipcore.Pipeline([{"op": "case_noise"}])

            class Same(clipcore.plugins.TextAugmentation):
                id, op = "test.augment.same-text", "same_text"

                def apply(self, text, random):
                    if text == "no":
                        raise Raised(text)
                    return text

            def calls(count):
                for i in range(count):
                    kind = i % 10
                    if kind == 0:
                        model.encode_images([pixels])
                    elif kind == 1:
                        model.encode_texts(["a cat"], EncodeOptions(progress=lambda *_: True))
                    elif kind == 2:
                        self.assertRaises(Raised, model.encode_texts, ["a"], EncodeOptions(progress=raising))
                    elif kind == 3:
                        self.assertRaises(clipcore.NotFoundError, Image, "nowhere")
                    elif kind == 4:
                        index.search(model.encode_texts(["a"]), filter=lambda entry: True)
                    elif kind == 5:
                        memory = Image(CAT).pixels
                        self.assertEqual(memory.ndim, 3)
                    elif kind == 6:
                        model.tokenize(["a", "b"])
                        words.text("some words", i, 0)
                    elif kind == 7:
                        model.snapshot().info
                    elif kind == 8:
                        self.assertRaises(TypeError, model.encode_images, [object()])
                        index.get("a")
                    elif i % 500 == 9:
                        runtime = clipcore.Runtime()
                        runtime.register(clipcore.plugins.Plugin("test.same-text", [Same]))
                        pipeline = clipcore.Pipeline([{"op": "same_text"}], runtime)
                        self.assertEqual(pipeline.text("yes", 1, 2), "yes")
                        self.assertRaises(clipcore.PluginError, pipeline.text, "no", 1, 2)
                    else:
                        model.similarity([[1.0] * 32], [[1.0] * 32])

            def state():
                gc.collect()
                resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
                return resident, len(gc.get_objects()), len(os.listdir("/proc/self/fd")), threading.active_count()

            calls(1000)
            before = state()
            calls(10_000)
            after = state()
            self.assertLess(after[0] - before[0], 2 << 20)
            self.assertLess(after[1] - before[1], 50)
            self.assertEqual(after[2:], before[2:])
            reference = weakref.ref(model)
            del model
            gc.collect()
            self.assertIsNone(reference())


if __name__ == "__main__":
    unittest.main()
