#!/usr/bin/env python3
"""Time ONNX Runtime, OpenVINO and `clip bench` on the same weights, in turns.

    pip install numpy onnxruntime openvino
    python3 peers.py --model DIR --onnx OUTDIR [--clip build/bin/clip] [--threads 2] [--rounds 3]
                     [--work image:1,image:32,text:1:7,text:32:7,text:8:77]

DIR is a model folder in open_clip's layout, OUTDIR has the output of make_vit_onnx.py or make_resnet_onnx.py
(visual.onnx, text.onnx). Each round times every runtime once on every item of work, so that changes of the machine's
speed affect all of them. Prints one JSON line for each measurement, and at the end the medians and their ratios. The
exported graphs take rows of 77 tokens; clipcore computes no padding.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np


def onnxruntime(path, threads):
    import onnxruntime as o
    options = o.SessionOptions()
    options.intra_op_num_threads = threads
    session = o.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})


def openvino(path, threads):
    import openvino as o
    model = o.Core().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    return lambda x: request.infer({"x": x})


def peer_input(tower, batch, tokens):
    if tower == "image":
        return np.random.RandomState(0).standard_normal((batch, 3, 224, 224)).astype(np.float32)
    rows = np.zeros((batch, 77), np.int64)
    rows[:, :tokens] = 320
    rows[:, 0], rows[:, tokens - 1] = 49406, 49407
    return rows


def median_ms(call, seconds):
    call()
    times, end = [], time.time() + seconds
    while time.time() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def clipcore_ms(a, tower, batch, tokens):
    out = subprocess.run([a.clip, "bench", "--model", a.model, "--tower", tower, "--threads", str(a.threads), "--batch",
                          str(batch), "--tokens", str(tokens), "--seconds", str(a.seconds), "--json"] + a.clip_options.split(),
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)["ms"] * batch


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--onnx", required=True)
    p.add_argument("--clip", default="build/bin/clip")
    p.add_argument("--clip-options", default="")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--work", default="image:1,image:32,text:1:7,text:32:7,text:8:77")
    p.add_argument("--peers", default="onnxruntime,openvino")
    a = p.parse_args()
    files = {"image": "visual.onnx", "text": "text.onnx"}
    sessions, times = {}, {}
    for round_ in range(a.rounds):
        for work in a.work.split(","):
            tower, batch, tokens = (work.split(":") + ["7"])[:3]
            batch, tokens = int(batch), int(tokens)
            for peer in ["clipcore"] + a.peers.split(","):
                if peer == "clipcore":
                    ms = clipcore_ms(a, tower, batch, tokens)
                else:
                    if (peer, tower) not in sessions:
                        sessions[peer, tower] = globals()[peer](os.path.join(a.onnx, files[tower]), a.threads)
                    x = peer_input(tower, batch, tokens)
                    ms = median_ms(lambda: sessions[peer, tower](x), a.seconds)
                times.setdefault((work, peer), []).append(ms / batch)
                print(json.dumps({"peer": peer, "work": work, "threads": a.threads, "round": round_, "ms": round(ms / batch, 2)}),
                      flush=True)
    print(f"\n{'work':16}" + "".join(f"{peer:>14}" for peer in ["clipcore"] + a.peers.split(",")) + "   fastest peer / clipcore")
    for work in a.work.split(","):
        medians = {peer: statistics.median(times[work, peer]) for peer in ["clipcore"] + a.peers.split(",")}
        ratio = min(v for k, v in medians.items() if k != "clipcore") / medians["clipcore"]
        print(f"{work:16}" + "".join(f"{v:14.2f}" for v in medians.values()) + f"   {ratio:.2f}")


if __name__ == "__main__":
    main()
