#!/usr/bin/env python3
"""Loads weights into PyTorch, strictly, and compares the logits of an example.

    python3 load_in_pytorch.py weights.safetensors example.safetensors [weights example]...

The example holds x [N, C, H, W] and the logits that vf2prep computed. The safetensors package reads the files
where it is installed; otherwise the few lines below do, since the format is a JSON header
and plain arrays.
"""
import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
import torchnets  # noqa: E402


def load(path):
    try:
        from safetensors.torch import load_file, safe_open
        with safe_open(path, "pt") as f:
            return load_file(path), f.metadata() or {}
    except ImportError:
        pass
    with open(path, "rb") as f:
        b = f.read()
    n = struct.unpack("<Q", b[:8])[0]
    header = json.loads(b[8:8 + n])
    meta = header.pop("__metadata__", {})
    out = {}
    for name, t in header.items():
        assert t["dtype"] == "F32", (name, t)
        a = np.frombuffer(b, "<f4", math.prod(t["shape"]), 8 + n + t["data_offsets"][0])
        out[name] = torch.from_numpy(a.reshape(t["shape"]).copy())
    return out, meta


worst = 0.0
for weight_file, example_file in zip(sys.argv[1::2], sys.argv[2::2]):
    weights, meta = load(weight_file)
    example, _ = load(example_file)
    _, height, width = map(int, meta["input"].split("x"))
    net = torchnets.build(meta["arch"], height, width, int(meta["classes"]), dropout=0).eval()
    net.load_state_dict(weights, strict=True)
    with torch.no_grad():
        differ = float((net(example["x"]) - example["logits"]).abs().max())
    differ /= max(1, float(example["logits"].abs().max()))
    print("%s: %d tensors, logits differ by %.1e at most" % (meta["arch"], len(weights), differ))
    worst = max(worst, differ)
sys.exit(worst > 1e-5)
