#!/usr/bin/env python3
"""Saves each network's state dict from PyTorch, as safetensors.torch.save_file does, and an example of what it computes.

    python3 save_from_pytorch.py DIR HEIGHT WIDTH CLASSES ARCH...

DIR/ARCH.safetensors holds the state dict after one step of training, so that running statistics have moved;
DIR/ARCH.example.safetensors holds x [N, 3, H, W] and the logits.
"""
import json
import pathlib
import struct
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
import torchnets  # noqa: E402


def save(tensors, path):
    try:
        from safetensors.torch import save_file
        return save_file(tensors, path, {"format": "pt"})
    except ImportError:
        pass
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in tensors.items():
        b = t.contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[t.dtype]
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


directory, archs = pathlib.Path(sys.argv[1]), sys.argv[5:]
height, width, classes = map(int, sys.argv[2:5])
for arch in archs:
    torch.manual_seed(7)
    net = torchnets.build(arch, height, width, classes, dropout=0).train()
    x = torch.rand(4, 3, height, width) * 2 - 1
    loss = torch.nn.functional.cross_entropy(net(x), torch.arange(4) % classes)
    loss.backward()
    torch.optim.SGD(net.parameters(), lr=0.001).step()
    with torch.no_grad():
        logits = net.eval()(x)
    save(net.state_dict(), directory / f"{arch}.safetensors")
    save({"x": x, "logits": logits}, directory / f"{arch}.example.safetensors")
