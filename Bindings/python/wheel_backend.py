"""PEP 517 backend that makes the wheel of a built tree: `python -m build --wheel`, with CLIPCORE_TREE or ../../build.

The wheel holds clipcore's libraries and plugins, and the libraries that they need and systems may lack. Those get names
of their own, as auditwheel gives them, so that they meet no others in a process; the package loads them before plugins
ask for them. Needs patchelf and binutils.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from headers import generate

HERE = Path(__file__).resolve().parent
# What every Linux with glibc has. A second libstdc++ in a process would be trouble for others.
SYSTEM = re.compile(r"lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.\d+|ld-linux.*")
# Under the GPL, or too large for what most people do: a plugin that needs them is in the wheel without its libraries, and
# works where the system has them.
NOT_CARRIED = re.compile(r"lib(x265|jbig|openblas)\.so.*")
ABIS = {"x86_64": "x86-64", "aarch64": "AArch64"}  # what ldconfig calls processors


def _run(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def _needed(file: Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _run("readelf", "-dW", file))


def _found(file: Path) -> dict[str, Path]:
    """The libraries that a file needs, also through others, as the loader finds them."""
    found = {}
    for name, place, _ in re.findall(r"^\s*(\S+) => (.*?)( \(0x|$)", _run("ldd", file), flags=re.M):
        if not name.startswith("libclip") and not SYSTEM.fullmatch(name):
            found[name] = Path(place)
    return found


def _glibc(file: Path) -> tuple[int, int]:
    """The newest version of glibc whose symbols a file needs."""
    versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", _run("readelf", "-VW", file))
    return max(((int(a), int(b)) for a, b in versions), default=(2, 5))


def _licenses(file: Path, to: Path) -> None:
    """The copyright file of the Debian package that a library is of."""
    real = file.resolve()
    owners = [
        subprocess.run(["dpkg", "-S", name], capture_output=True, text=True).stdout for name in (real, str(real)[4:])
    ]
    package = next((owner.split(":")[0] for owner in owners if owner), None)
    copyright = Path(f"/usr/share/doc/{package}/copyright")
    if package is None or not copyright.exists():
        raise FileNotFoundError(f"expected the license of {file}, found no package's")
    to.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(copyright, to / f"{package}.txt")


def _carry(libraries: dict[str, Path], folder: Path, licenses: Path) -> dict[str, str]:
    """Copies libraries under names of their own: old name to new."""
    names = {}
    for name, place in sorted(libraries.items()):
        stem, _, rest = name.partition(".so")
        digest = hashlib.sha256(place.read_bytes()).hexdigest()[:8]
        # libffi is looked for by its name when it is first needed.
        names[name] = name if stem == "libffi" else f"{stem}-{digest}.so{rest}"
        shutil.copyfile(place, folder / names[name])
        _licenses(place, licenses)
    for new in names.values():
        _run("patchelf", "--set-soname", new, folder / new)
        _run("patchelf", "--set-rpath", "$ORIGIN", folder / new)
        _rename_needed(folder / new, names)
    return names


def _rename_needed(file: Path, names: dict[str, str]) -> None:
    for name in _needed(file):
        if names.get(name, name) != name:
            _run("patchelf", "--replace-needed", name, names[name], file)


def _libraries(tree: Path, package: Path, licenses: Path) -> None:
    lib = package / "lib"
    plugins = Path("clipcore/plugins")
    files = [Path(f"lib{name}.so.1") for name in ("clipcore", "cliptools", "clipindex")]
    files += [
        plugins / file.relative_to(tree / "lib" / plugins) for file in sorted((tree / "lib" / plugins).rglob("*.so"))
    ]
    libraries: dict[str, Path] = {}
    for file in files:
        found = _found(tree / "lib" / file)
        missing = [name for name, place in found.items() if not place.is_file()]
        if missing:
            raise FileNotFoundError(f"{file}: expected its libraries, found no {', '.join(missing)}")
        if not any(NOT_CARRIED.fullmatch(name) for name in found):
            libraries.update(found)
    libraries.update(_named("libffi.so.8"))
    for file in files:
        (lib / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / "lib" / file, lib / file)
        _run("strip", "--strip-unneeded", lib / file)
    names = _carry(libraries, lib, licenses)
    for file in files:
        if all(name in names or name.startswith("libclip") or SYSTEM.fullmatch(name) for name in _needed(lib / file)):
            _rename_needed(lib / file, names)


def _named(name: str) -> dict[str, Path]:
    machine = os.uname().machine
    if machine not in ABIS:
        raise ValueError(f"expected a processor of {', '.join(ABIS)}, found {machine}")
    listed = _run(shutil.which("ldconfig") or "/sbin/ldconfig", "-p")
    match = re.search(rf"{re.escape(name)} \(.*{ABIS[machine]}.*\) => (\S+)", listed)
    if not match:
        raise FileNotFoundError(f"expected {name} for {ABIS[machine]} in ldconfig -p, found none")
    return {name: Path(match[1])}


def _metadata(version: str) -> str:
    return "\n".join(
        [
            "Metadata-Version: 2.1",
            "Name: clipcore",
            f"Version: {version}",
            "Summary: CLIP models: embed images and texts, search, train",
            "License: Apache-2.0",
            "Requires-Python: >=3.9",
            "Classifier: Operating System :: POSIX :: Linux",
            "Classifier: Programming Language :: Python :: 3",
            "Classifier: Typing :: Typed",
            "Description-Content-Type: text/markdown",
            "",
            (HERE / "README.md").read_text(),
        ]
    )


def _write(path: Path, files: dict[str, Path], record: str) -> None:
    """A wheel whose bytes depend on its content alone."""
    lines = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            data = files[name].read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
            _add(archive, name, data)
        _add(archive, record, "".join([*lines, f"{record},,\n"]).encode())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o755 if ".so" in name else 0o644) << 16
    archive.writestr(info, data)


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    tree = Path(os.environ.get("CLIPCORE_TREE", HERE.parents[1] / "build")).resolve()
    version = re.search(r"^Version: (.*)$", (tree / "lib/pkgconfig/clipcore.pc").read_text(), flags=re.M)
    if not version:
        raise ValueError(f"{tree}/lib/pkgconfig/clipcore.pc: expected a version")
    with tempfile.TemporaryDirectory() as folder:
        package, info = Path(folder, "clipcore"), Path(folder, f"clipcore-{version[1]}.dist-info")
        shutil.copytree(HERE / "clipcore", package, ignore=shutil.ignore_patterns("__pycache__", "_raw.py", "lib"))
        (package / "_raw.py").write_text(generate(tree / "include/clipcore"))
        _libraries(tree, package, info / "licenses")
        (package / "share/clipcore").mkdir(parents=True)
        shutil.copyfile(tree / "share/clipcore/modalities.json", package / "share/clipcore/modalities.json")
        for name in ("LICENSE", "NOTICE"):
            shutil.copyfile(HERE.parents[1] / name, info / "licenses" / name)
        major, minor = max(_glibc(file) for file in (package / "lib").rglob("*.so*"))
        tag = f"py3-none-manylinux_{major}_{minor}_{os.uname().machine}"
        (info / "METADATA").write_text(_metadata(version[1]))
        (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nGenerator: clipcore\nRoot-Is-Purelib: false\nTag: {tag}\n")
        name = f"clipcore-{version[1]}-{tag}.whl"
        files = {str(file.relative_to(folder)): file for file in Path(folder).rglob("*") if file.is_file()}
        _write(Path(wheel_directory, name), files, f"clipcore-{version[1]}.dist-info/RECORD")
        return name


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    raise RuntimeError("the libraries are not built by Python: make build, then python -m build --wheel")
