"""`clip index` of photographs against its parts and against rclip's way, in turns, in one run:

    cc -std=gnu11 -O2 -I Include Benchmarks/index/parts.c -o PARTS -L build/lib -lclipcore -Wl,-rpath,$PWD/build/lib
    python photos.py PHOTOS
    python pipeline.py PHOTOS MODEL PARTS [ONNX [TURNS [SHARE]]]    needs numpy, pillow, open_clip_torch, and onnxruntime for ONNX

MODEL is a ViT-B/32 in open_clip's layout, ONNX the visual.onnx that Benchmarks/peers/make_vit_onnx.py made of it. In
each turn `clip index --storage int8` embeds all photographs into a new index, and each other way SHARE of them.
rclip's way: Pillow decodes, open_clip's transform, float32 in batches of 8, one after the other. "overlapped": the same
with two threads that decode ahead. All on 2 threads."""

import concurrent.futures
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import open_clip
import torch
from PIL import Image

photos, model, parts = sys.argv[1:4]
onnx = sys.argv[4] if len(sys.argv) > 4 and sys.argv[4] else None
turns, size = (int(x) for x in (sys.argv[5:] + ["5", "100"][len(sys.argv[5:]) :]))
clip = pathlib.Path(__file__).resolve().parents[2] / "build/bin/clip"
files = sorted(str(path) for path in pathlib.Path(photos).iterdir())
torch.set_num_threads(2)
peer, transform = open_clip.create_model_from_pretrained("local-dir:" + model)
peer.eval()


def encode_torch(batch):
    with torch.no_grad():
        return peer.encode_image(torch.stack(batch), normalize=True).numpy()


encoders = {"PyTorch": encode_torch}
if onnx:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    encoders["ONNX Runtime"] = lambda batch: session.run(None, {"x": torch.stack(batch).numpy()})[0]


def read(path):
    return transform(Image.open(path).convert("RGB"))


def embed(encode, share, images):
    images, rows = iter(images), []
    for first in range(0, len(share), 8):
        rows.append(encode([next(images) for _ in share[first : first + 8]]))
    return np.concatenate(rows)


def overlapped(encode, share):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pending, rest = [], iter(share)

        def images():
            for path in rest:
                pending.append(pool.submit(read, path))
                if len(pending) > 16:
                    yield pending.pop(0).result()
            while pending:
                yield pending.pop(0).result()

        return embed(encode, share, images())


def index():
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(photos))) as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([clip, "index", "--model", model, "--storage", "int8", "--threads", "2", "--index", folder + "/index", photos],
                       check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(files)


def milliseconds(body, count):
    begin = time.perf_counter()
    result = body()
    return 1e3 * (time.perf_counter() - begin) / count, result


measured = {}
for turn in range(turns):
    share = files[turn::turns][:size]
    row = {}
    row["clip index, wall"], row["clip index, CPU"] = milliseconds(index, len(files))
    times = subprocess.run([parts, model, "2", *share], check=True, capture_output=True, text=True).stdout.split()
    row["decoding alone, CPU"], row["encoding alone, CPU"] = map(float, times)
    for name, encode in encoders.items():
        row[name], _ = milliseconds(lambda: embed(encode, share, map(read, share)), len(share))
        row[name + ", overlapped"], _ = milliseconds(lambda: overlapped(encode, share), len(share))
    print(f"turn {turn + 1}:", ", ".join(f"{name} {value:.1f}" for name, value in row.items()), flush=True)
    for name, value in row.items():
        measured.setdefault(name, []).append(value)
middle = {name: statistics.median(values) for name, values in measured.items()}
for name, value in middle.items():
    print(f"{name:28} {value:7.1f} ms an image")
half = (middle["decoding alone, CPU"] + middle["encoding alone, CPU"]) / 2
print(f"wall / half of the parts: {middle['clip index, wall'] / half:.3f}")
for name in encoders:
    for way in (name, name + ", overlapped"):
        print(f"{way} / clip index: {middle[way] / middle['clip index, wall']:.2f}")
