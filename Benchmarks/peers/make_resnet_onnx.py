#!/usr/bin/env python3
"""Convert a CLIP ResNet in open_clip's layout to an ONNX file of its image tower.

    pip install numpy safetensors onnx
    python3 make_resnet_onnx.py open_clip_model.safetensors OUT.onnx [--heads 32]

pixels [b, 3, s, s] -> unit embeddings, float32, opset 17. Batch norms are nodes, which every runtime folds.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.initialisers, self.count = tensors, [], [], 0

    def add(self, op, *inputs, **attributes):
        self.count += 1
        output = f"{op}_{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, value, dtype=np.float32):
        self.count += 1
        name = f"w{self.count}"
        self.initialisers.append(numpy_helper.from_array(np.array(value, dtype, order="C"), name))
        return name

    def weight(self, name):
        return self.constant(self.tensors[name])

    def conv(self, x, conv, norm, stride=1, padding=0):
        size = self.tensors[conv + ".weight"].shape[-1]
        x = self.add("Conv", x, self.weight(conv + ".weight"), kernel_shape=[size, size], strides=[stride, stride],
                     pads=[padding] * 4)
        return self.add("BatchNormalization", x, *(self.weight(f"{norm}.{part}") for part in
                        ("weight", "bias", "running_mean", "running_var")), epsilon=1e-5)

    def pool(self, x, size):
        return self.add("AveragePool", x, kernel_shape=[size, size], strides=[size, size]) if size > 1 else x

    def linear(self, x, name):
        y = self.add("MatMul", x, self.constant(self.tensors[name + ".weight"].T))
        return self.add("Add", y, self.weight(name + ".bias"))

    def bottleneck(self, x, name, stride):
        y = self.add("Relu", self.conv(x, name + ".conv1", name + ".bn1"))
        y = self.pool(self.add("Relu", self.conv(y, name + ".conv2", name + ".bn2", padding=1)), stride)
        y = self.conv(y, name + ".conv3", name + ".bn3")
        if name + ".downsample.0.weight" in self.tensors:
            x = self.conv(self.pool(x, stride), name + ".downsample.0", name + ".downsample.1")
        return self.add("Relu", self.add("Add", x, y))

    def attention_pool(self, x, name, heads):
        length, width = self.tensors[name + ".positional_embedding"].shape
        x = self.add("Reshape", x, self.constant([0, width, length - 1], np.int64))
        x = self.add("Concat", self.add("ReduceMean", x, axes=[2], keepdims=1), x, axis=2)
        x = self.add("Add", self.add("Transpose", x, perm=[0, 2, 1]), self.weight(name + ".positional_embedding"))
        query = self.add("Slice", x, *(self.constant([v], np.int64) for v in (0, 1, 1)))

        def split(value, rows, perm):
            value = self.add("Reshape", value, self.constant([-1, rows, heads, width // heads], np.int64))
            return self.add("Transpose", value, perm=perm)

        q = split(self.linear(query, name + ".q_proj"), 1, [0, 2, 1, 3])
        k = split(self.linear(x, name + ".k_proj"), length, [0, 2, 3, 1])
        v = split(self.linear(x, name + ".v_proj"), length, [0, 2, 1, 3])
        scores = self.add("MatMul", self.add("Mul", q, self.constant((width // heads) ** -0.5)), k)
        y = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        y = self.add("Reshape", self.add("Transpose", y, perm=[0, 2, 1, 3]), self.constant([-1, width], np.int64))
        return self.linear(y, name + ".c_proj")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--heads", type=int, default=32)
    arguments = parser.parse_args()
    tensors = {k[len("visual."):]: v for k, v in load_file(arguments.checkpoint).items() if k.startswith("visual.")}
    g = Graph(tensors)
    x = g.add("Relu", g.conv("x", "conv1", "bn1", stride=2, padding=1))
    x = g.add("Relu", g.conv(x, "conv2", "bn2", padding=1))
    x = g.pool(g.add("Relu", g.conv(x, "conv3", "bn3", padding=1)), 2)
    for layer in range(1, 5):
        block = 0
        while f"layer{layer}.{block}.conv1.weight" in tensors:
            x = g.bottleneck(x, f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1)
            block += 1
    x = g.attention_pool(x, "attnpool", arguments.heads)
    g.nodes.append(helper.make_node("LpNormalization", [x], ["y"], axis=-1, p=2))
    side = int((tensors["attnpool.positional_embedding"].shape[0] - 1) ** 0.5) * 32
    graph = helper.make_graph(
        g.nodes, "clip", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", None])], g.initialisers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), arguments.out)


if __name__ == "__main__":
    main()
