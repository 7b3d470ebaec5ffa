#!/usr/bin/env python3
"""Checks exported networks and compares what ONNX Runtime and OpenCV make of them.

    python3 check_onnx.py model.onnx example.safetensors [model example]...

The example holds x [N, C, H, W] and, by the model's output names, what vf2prep computed. Needs onnx, onnxruntime,
opencv-python-headless, numpy and safetensors.
"""
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

worst = 0.0
for model, example in zip(sys.argv[1::2], sys.argv[2::2]):
    onnx.checker.check_model(model, full_check=True)
    want = load_file(example)
    x = want.pop("x")
    names = sorted(want)
    runtime = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    got = {"ONNX Runtime": dict(zip(names, runtime.run(names, {"x": x})))}
    one = dict(zip(names, runtime.run(names, {"x": x[:1]})))  # any batch
    net = cv2.dnn.readNetFromONNX(model)
    net.setInput(x, "x")
    got["OpenCV"] = dict(zip(names, net.forward(names)))
    for who, outputs in got.items():
        differ = max(float(np.abs(outputs[n] - want[n]).max() / max(1, np.abs(want[n]).max())) for n in names)
        print(f"{model.rsplit('/', 1)[-1]}: {who}: {', '.join(names)} differ by {differ:.1e} at most")
        worst = max(worst, differ)
    worst = max(worst, *(float(np.abs(one[n] - want[n][:1]).max() / max(1, np.abs(want[n]).max())) for n in names))
sys.exit(worst > 1e-4)
