"""The six examples, as a user runs them."""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import EMOJI, IMAGES, ROOT, small_model


class Examples(unittest.TestCase):
    def run_example(self, name, *arguments):
        command = [sys.executable, ROOT / f"Bindings/python/examples/{name}.py", *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_embed_and_compare(self):
        images = [IMAGES / f"{name}.png" for name in ("cat", "dog", "pizza")]
        lines = self.run_example("embed_and_compare", EMOJI, *images)
        self.assertEqual([line.split()[1:] for line in lines][0], [str(images[0]), str(images[1])])

    def test_zero_shot(self):
        lines = self.run_example("zero_shot", EMOJI, "cat,dog,pizza", IMAGES / "dog.png", IMAGES / "pizza.png")
        self.assertEqual([line.split()[2] for line in lines], ["dog", "pizza"])

    def test_search_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            arguments = (EMOJI, IMAGES, Path(folder, "x.index"), "a guitar")
            first, second = (self.run_example("search_folder", *arguments) for _ in range(2))
            self.assertEqual((first[0], second[0]), ("12 new, 12 in all", "0 new, 12 in all"))
            self.assertIn("guitar.png", first[1])
            self.assertEqual(first[1:], second[1:])

    def test_swap_under_load(self):
        line = self.run_example("swap_under_load", EMOJI, IMAGES / "cat.png")[0]
        self.assertRegex(line, r"^10 swaps, [1-9]\d* calls meanwhile, 0 wrong$")

    def test_train(self):
        with tempfile.TemporaryDirectory() as folder:
            line = self.run_example(
                "train", small_model(folder), ROOT / "Examples/emoji-pairs.tar", Path(folder, "out")
            )[0]
            first, last = map(float, re.fullmatch(r"loss (\S+) to (\S+) in 100 steps", line).groups())
            self.assertLess(last, first)
            self.assertTrue(Path(folder, "out/open_clip_model.safetensors").exists())

    def test_write_plugin(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_example("write_plugin", Path(folder, "model"), IMAGES / "cat.png")
            self.assertEqual(lines[0], "values [0, 128]")


if __name__ == "__main__":
    unittest.main()
