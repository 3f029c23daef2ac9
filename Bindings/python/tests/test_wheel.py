"""The wheel needs nothing: formats are decoded with its own libraries, and typed."""

import subprocess
import sys
import unittest
from pathlib import Path

import clipcore
from support import ROOT, EMOJI


class Wheel(unittest.TestCase):
    def test_libraries(self):
        program = f"""if True:
            import re, sys, ctypes, pathlib, threading, dataclasses, tempfile, json
            def mapped(): return set(re.findall(r"/\\S+\\.so[.\\d]*$", open("/proc/self/maps").read(), re.M))
            before = mapped()
            import clipcore
            folder = pathlib.Path({str(ROOT / "Tests/Fixtures")!r})
            for name in sys.argv[1:]: clipcore.Image(folder / name)
            clipcore.Model({str(EMOJI)!r}).encode_texts(["a cat"])
            package = str(pathlib.Path(clipcore.__file__).parent)
            for file in sorted(mapped() - before):
                if not file.startswith(package) and not re.search(r"/lib(m|c|stdc\\+\\+|gcc_s)\\.so|/lib-dynload/|/(numpy|PIL)/", file): print(file)
        """
        images = ["photos/o1.jpg", "photos/o1.png", "codecs/rgba8.png", "photos/palette.gif"]
        images += [
            str(file.relative_to(ROOT / "Tests/Fixtures"))
            for ending in ("webp", "jxl")
            for file in sorted((ROOT / "Tests/Fixtures").rglob(f"*.{ending}"))[:1]
        ]
        self.assertGreater(len(images), 5)
        done = subprocess.run(
            [
                sys.executable,
                "-S",
                "-c",
                f"import sys; sys.path.append({str(Path(clipcore.__file__).parents[1])!r})\n{program}",
                *images,
            ],
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_typed(self):
        self.assertTrue((Path(clipcore.__file__).parent / "py.typed").exists())
        self.assertRegex(clipcore.__version__, r"^\d+\.\d+\.\d+$")
        for name in clipcore.__all__:
            self.assertTrue(hasattr(clipcore, name), name)


if __name__ == "__main__":
    unittest.main()
