"""_raw.py has the structs and numbers that a C compiler sees in the headers."""

import ctypes
import subprocess
import unittest

from clipcore import _raw as raw
from support import ROOT


class Headers(unittest.TestCase):
    def test_layout(self):
        lines = ["#include <stddef.h>", "#include <clipcore/clipcore.h>", "#include <clipcore/clip_plugin.h>"]
        structs = {
            n: k
            for n, k in vars(raw).items()
            if n.startswith("clip_") and isinstance(k, type) and issubclass(k, ctypes.Structure)
        }
        self.assertGreater(len(structs), 45)
        for name, kind in structs.items():
            lines.append(
                f'_Static_assert(sizeof({name}) == {ctypes.sizeof(kind)}, "{name}");'
                if name != "clip_plugin"
                else f'_Static_assert(sizeof(struct clip_plugin) == {ctypes.sizeof(kind)}, "{name}");'
            )
            for field, _ in kind._fields_:
                place = getattr(kind, field)
                lines.append(f'_Static_assert(offsetof({name}, {field}) == {place.offset}, "{name}.{field}");')
                lines.append(f'_Static_assert(sizeof((({name} *)0)->{field}) == {place.size}, "{name}.{field}");')
        numbers = {n: v for n, v in vars(raw).items() if n.startswith("CLIP_") and isinstance(v, int)}
        self.assertGreater(len(numbers), 80)
        lines += [f'_Static_assert({name} == {value}, "{name}");' for name, value in numbers.items()]
        command = ["cc", "-std=c11", "-x", "c", "-fsyntax-only", f"-I{ROOT}/build/include", "-"]
        result = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        result = subprocess.run(
            command, input="\n".join(lines).replace(" == 8,", " == 9,"), text=True, capture_output=True
        )
        self.assertNotEqual(result.returncode, 0)


if __name__ == "__main__":
    unittest.main()
