#!/usr/bin/env python3
"""Convert a CLIP ViT in open_clip's layout to two ONNX files.

    pip install numpy safetensors onnx
    python3 make_vit_onnx.py open_clip_model.safetensors OUTDIR [--heads 12 --text-heads 8]

Writes OUTDIR/visual.onnx (pixels [b,3,s,s] -> unit embeddings) and OUTDIR/text.onnx
(tokens [b,77] int64 -> unit embeddings), float32, QuickGELU, opset 17, for peers.py.
"""
import argparse
import os

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as H
from onnx import numpy_helper as N
from safetensors.numpy import load_file


class Graph:
    def __init__(self):
        self.nodes, self.init, self.n, self.const = [], [], 0, {}

    def add(self, op, *inputs, **attrs):
        self.n += 1
        out = f"{op}_{self.n}"
        self.nodes.append(H.make_node(op, list(inputs), [out], **attrs))
        return out

    def w(self, value, dtype=np.float32):
        a = np.array(value, dtype, order="C")
        key = (a.shape, a.dtype.str, a.tobytes()) if a.size < 64 else len(self.init)
        if key not in self.const:
            self.const[key] = f"w{len(self.init)}"
            self.init.append(N.from_array(a, self.const[key]))
        return self.const[key]

    def i64(self, *v):
        return self.w(np.array(v), np.int64)

    def linear(self, x, w, b):
        y = self.add("MatMul", x, self.w(w.T))
        return self.add("Add", y, self.w(b))

    def norm(self, x, p, name):
        return self.add("LayerNormalization", x, self.w(p[name + ".weight"]), self.w(p[name + ".bias"]), epsilon=1e-5, axis=-1)

    def block(self, x, p, name, heads, width, length, mask=None):
        h = self.norm(x, p, name + ".ln_1")
        qkv = self.linear(h, p[name + ".attn.in_proj_weight"], p[name + ".attn.in_proj_bias"])
        qkv = self.add("Reshape", qkv, self.i64(-1, length, 3, heads, width // heads))
        qkv = self.add("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        q, k, v = (self.add("Gather", qkv, self.w(np.array(i), np.int64), axis=0) for i in range(3))
        s = self.add("MatMul", self.add("Mul", q, self.w(np.array((width // heads) ** -0.5))), self.add("Transpose", k, perm=[0, 1, 3, 2]))
        if mask is not None:
            s = self.add("Add", s, mask)
        o = self.add("MatMul", self.add("Softmax", s, axis=-1), v)
        o = self.add("Reshape", self.add("Transpose", o, perm=[0, 2, 1, 3]), self.i64(-1, length, width))
        x = self.add("Add", x, self.linear(o, p[name + ".attn.out_proj.weight"], p[name + ".attn.out_proj.bias"]))
        h = self.linear(self.norm(x, p, name + ".ln_2"), p[name + ".mlp.c_fc.weight"], p[name + ".mlp.c_fc.bias"])
        h = self.add("Mul", h, self.add("Sigmoid", self.add("Mul", h, self.w(np.array(1.702)))))
        return self.add("Add", x, self.linear(h, p[name + ".mlp.c_proj.weight"], p[name + ".mlp.c_proj.bias"]))

    def save(self, path, inp, out):
        self.nodes.append(H.make_node("LpNormalization", [out], ["y"], axis=-1, p=2))
        g = H.make_graph(self.nodes, "clip", [inp], [H.make_tensor_value_info("y", T.FLOAT, ["b", None])], self.init)
        onnx.save(H.make_model(g, opset_imports=[H.make_opsetid("", 17)], ir_version=8), path)


def layers(p, prefix):
    return 1 + max(int(k[len(prefix):].split(".")[0]) for k in p if k.startswith(prefix))


def visual(p, path, heads):
    g = Graph()
    conv = p["visual.conv1.weight"]
    width, patch = conv.shape[0], conv.shape[-1]
    length = p["visual.positional_embedding"].shape[0]
    side = int((length - 1) ** 0.5) * patch
    x = g.add("Conv", "x", g.w(conv), strides=[patch, patch], kernel_shape=[patch, patch])
    x = g.add("Transpose", g.add("Reshape", x, g.i64(-1, width, length - 1)), perm=[0, 2, 1])
    b = g.add("Slice", g.add("Shape", x), g.i64(0), g.i64(1))
    cls = g.add("Expand", g.w(p["visual.class_embedding"].reshape(1, 1, width)), g.add("Concat", b, g.i64(1, width), axis=0))
    x = g.add("Add", g.add("Concat", cls, x, axis=1), g.w(p["visual.positional_embedding"]))
    x = g.norm(x, p, "visual.ln_pre")
    for i in range(layers(p, "visual.transformer.resblocks.")):
        x = g.block(x, p, f"visual.transformer.resblocks.{i}", heads, width, length)
    x = g.add("Gather", x, g.w(np.array(0), np.int64), axis=1)
    x = g.add("MatMul", g.norm(x, p, "visual.ln_post"), g.w(p["visual.proj"]))
    g.save(path, H.make_tensor_value_info("x", T.FLOAT, ["b", 3, side, side]), x)


def text(p, path, heads):
    g = Graph()
    length, width = p["positional_embedding"].shape
    x = g.add("Add", g.add("Gather", g.w(p["token_embedding.weight"]), "x", axis=0), g.w(p["positional_embedding"]))
    mask = g.w(np.triu(np.full((length, length), -1e9, np.float32), 1))
    for i in range(layers(p, "transformer.resblocks.")):
        x = g.block(x, p, f"transformer.resblocks.{i}", heads, width, length, mask)
    x = g.norm(x, p, "ln_final")
    eot = g.add("Unsqueeze", g.add("ArgMax", "x", axis=1, keepdims=1), g.i64(2))
    eot = g.add("Expand", eot, g.add("Concat", g.add("Slice", g.add("Shape", "x"), g.i64(0), g.i64(1)), g.i64(1, width), axis=0))
    x = g.add("Squeeze", g.add("GatherElements", x, eot, axis=1), g.i64(1))
    x = g.add("MatMul", x, g.w(p["text_projection"]))
    g.save(path, H.make_tensor_value_info("x", T.INT64, ["b", length]), x)


if __name__ == "__main__":
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("checkpoint")
    a.add_argument("out")
    a.add_argument("--heads", type=int, default=12)
    a.add_argument("--text-heads", type=int, default=8)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    p = load_file(a.checkpoint)
    visual(p, os.path.join(a.out, "visual.onnx"), a.heads)
    text(p, os.path.join(a.out, "text.onnx"), a.text_heads)
