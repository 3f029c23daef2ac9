#!/usr/bin/env python3
"""Quantise the ONNX files of make_vit_onnx.py as ONNX Runtime does it dynamically: INT8 weights, activations rounded to
8 bits in each call.

    pip install onnx onnxruntime
    python3 quantize_onnx.py OUTDIR INT8DIR

Writes INT8DIR/visual.onnx and INT8DIR/text.onnx, for
    python3 peers.py --model DIR --onnx INT8DIR --peers onnxruntime --clip-options="--storage int8-fast"
"""
import os
import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

source, target = sys.argv[1:]
os.makedirs(target, exist_ok=True)
for name in ("visual.onnx", "text.onnx"):
    quantize_dynamic(os.path.join(source, name), os.path.join(target, name), weight_type=QuantType.QInt8)
