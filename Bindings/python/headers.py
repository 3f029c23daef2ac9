"""Makes clipcore/_raw.py of the C headers: enumerators, structs, callback types and functions for ctypes.

The headers are regular enough to be read by patterns; what is not understood is an error. Pointers to structs, and to
text in function arguments and fields, keep their types. All other pointers are c_void_p, which takes addresses, ctypes
arrays and byref().
"""

import re
from pathlib import Path

SCALARS = {
    "void": "None",
    "char": "c_char",
    "int": "c_int",
    "float": "c_float",
    "double": "c_double",
    "size_t": "c_size_t",
    **{f"{sign}int{bits}_t": f"c_{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
DECORATIONS = r"\bCLIP_(API|NONNULL|NULLABLE|NULLABILITY_BEGIN|NULLABILITY_END|NONNULL_BEGIN|NONNULL_END)\b"


def declarations(text: str) -> str:
    """The declarations alone: without comments, preprocessor lines and what only compilers of C read."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.M)
    text = re.sub(r'extern "C" \{', "", text)
    text = re.sub(r"static inline [^{;]*\{.*?\n\}", "", text, flags=re.S)
    text = re.sub(r"static inline [^{;]*\{.*\}", "", text)
    return re.sub(DECORATIONS, "", text)


class Reader:
    def __init__(self) -> None:
        self.constants: list[tuple[str, int]] = []
        self.enums: set[str] = set()
        self.structs: dict[str, list[tuple[str, str]]] = {}
        self.opaque: set[str] = set()
        self.callbacks: dict[str, str] = {}
        self.functions: dict[str, tuple[str, list[str]]] = {}

    def read(self, text: str) -> None:
        text = declarations(text)
        for name in re.findall(r"typedef struct (\w+) \1;", text):
            self.opaque.add(name)
        text = re.sub(r"typedef struct (\w+) \1;", "", text)
        # Names first: types may be used before their definitions.
        bodies = []

        def enum(match: re.Match[str]) -> str:
            self.enums.update(filter(None, [match[1]]))
            for item in filter(None, (part.strip() for part in match[2].split(","))):
                name, value = re.fullmatch(r"(\w+) = (.*)", item).groups()  # type: ignore[union-attr]
                self.constants.append((name, int(eval(re.sub(r"(\d)u\b", r"\1", value), {}))))
            return ""

        text = re.sub(r"(?:typedef )?enum (\w+)?\s*\{(.*?)\}\s*\w*;", enum, text, flags=re.S)

        def struct(match: re.Match[str]) -> str:
            bodies.append((match[1], match[2]))
            self.structs[match[1]] = []
            return ""

        text = re.sub(r"(?:typedef )?struct (\w+)\s*\{(.*?)\}\s*\w*;", struct, text, flags=re.S)
        typedefs = re.findall(r"typedef ([^;()]*)\(\*(\w+)\)\(([^;]*)\);", text)
        for _, name, _ in typedefs:
            self.callbacks.setdefault(name, "")
        text = re.sub(r"typedef [^;]*;", "", text)
        for result, name, arguments in typedefs:
            self.callbacks[name] = self.signature(result, arguments)
        for name, body in bodies:
            self.structs[name] = [field for part in body.split(";") if part.strip() for field in self.fields(part)]
        for part in filter(None, (re.sub(r"\s+", " ", p).strip() for p in text.replace("}", "").split(";"))):
            match = re.fullmatch(r"(.*?)(clip_\w+)\((.*)\)", part)
            if not match:
                raise ValueError(f"not understood: {part}")
            self.functions[match[2]] = (self.type(match[1]), self.types(match[3]))

    def type(self, text: str) -> str:
        """The ctypes name of a C type."""
        words = re.sub(r"\bconst\b|\bstruct\b", "", text).replace("*", " * ").split()
        base, stars = words[0], len(words) - 1
        if any(word != "*" for word in words[1:]):
            raise ValueError(f"not understood: {text}")
        if stars == 0:
            if base in SCALARS:
                return SCALARS[base]
            if base in self.enums:
                return "c_int"
            if base in self.structs or base in self.callbacks:
                return base
            if base == "clip_value":
                return "c_int32"
            raise ValueError(f"not understood: {text}")
        if stars == 1 and base == "char" and "const" in text:
            return "c_char_p"
        if stars == 1 and base in self.structs:
            return f"POINTER({base})"
        return "c_void_p"

    def types(self, arguments: str) -> list[str]:
        parts = [re.sub(r"\s+", " ", part).strip() for part in arguments.split(",")]
        if parts == ["void"]:
            return []
        return [self.type(re.sub(r"\b(?!(?:const|char|int)\b)(?<=[ *])\w+$", "", part)) for part in parts]

    def signature(self, result: str, arguments: str) -> str:
        return f"CFUNCTYPE({', '.join([self.type(result), *self.types(arguments)])})"

    def fields(self, part: str):
        part = re.sub(r"\s+", " ", part).strip()
        function = re.fullmatch(r"(.*?)\(\*\s*(\w+)\)\((.*)\)", part)
        if function:
            yield function[2], self.signature(function[1], function[3])
            return
        first, *others = part.split(",")
        match = re.fullmatch(r"(.*[ *])(\w+)(\[(\d+)\])?", first)
        if not match:
            raise ValueError(f"not understood: {part}")
        kind = self.type(match[1])
        for name in [match[2], *(other.strip() for other in others)]:
            yield name, f"{kind} * {match[4]}" if match[4] else kind

    def written(self) -> str:
        lines = ['"""The C headers for ctypes, made by headers.py."""', "", "from ctypes import *  # noqa: F403", ""]
        lines += [f"{name} = {value}" for name, value in self.constants] + [""]
        lines += [f"class {name}(Structure): pass" for name in self.structs] + [""]
        lines += [f"{name} = {kind}" for name, kind in self.callbacks.items()] + [""]
        done: set[str] = set()
        while len(done) < len(self.structs):  # a struct inside another comes first
            ready = [
                name
                for name, fields in self.structs.items()
                if name not in done and all(kind not in self.structs or kind in done for _, kind in fields)
            ]
            for name in ready:
                fields = "".join(f'    ("{field}", {kind}),\n' for field, kind in self.structs[name])
                lines.append(f"{name}._fields_ = [\n{fields}]")
                done.add(name)
        lines += ["", "FUNCTIONS = {"]
        lines += [f'    "{name}": ({r}, [{", ".join(a)}]),' for name, (r, a) in sorted(self.functions.items())]
        return "\n".join([*lines, "}", ""])


def generate(include: Path) -> str:
    """The text of _raw.py for the headers in a folder."""
    names = [
        "clip.h",
        "clip_host.h",
        "clip_extend.h",
        "clip_augment.h",
        "clip_data.h",
        "clip_images.h",
        "clip_analysis.h",
        "clip_index.h",
        "clip_ffi.h",
        "clip_train.h",
        "plugin/entry.h",
        "plugin/encoder.h",
        "plugin/augmentation.h",
        "plugin/image_codec.h",
    ]
    reader = Reader()
    texts = [(include / name).read_text() for name in names]
    for text in texts:
        reader.opaque.update(re.findall(r"typedef struct (\w+) \1;", text))
        reader.read(text)
    version = re.search(r"CLIP_PLUGIN_ABI_VERSION \(\(uint32_t\)\(\((\d+)u << 16\) \| (\d+)u\)\)", "".join(texts))
    if not version:
        raise ValueError("not understood: CLIP_PLUGIN_ABI_VERSION")
    reader.constants.append(("CLIP_PLUGIN_ABI_VERSION", int(version[1]) << 16 | int(version[2])))
    return reader.written()


if __name__ == "__main__":
    import sys

    print(generate(Path(sys.argv[1])), end="")
