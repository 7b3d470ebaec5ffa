#!/usr/bin/env python3
"""Makes golden_seed_resnet.json: the losses of the first steps of seed-resnet in PyTorch.

    python3 golden_seed_resnet.py > golden_seed_resnet.json      (PyTorch 1.13, CPU)

Weights, images and labels come from an integer hash, the same in golden_test.go, so that no
file of numbers is needed. Nothing here is shared with the Go code but that formula.

The golden losses are computed in float64. "float32_differs" is how far PyTorch's own float32
is from them, at worst, in its default and in its channels_last layout: the unit in which to read
any difference. A ReLU whose input is 1e-8 opens or closes with the rounding, and Adadelta, whose first
steps divide by tiny numbers, makes much of the gradient that comes or goes with it: with images over
all of [-1, 1) PyTorch's float32 itself ends 1e-4 to 8e-4 away. SALT and CONTRAST were
picked as a case where it stays within 1e-5, so that 1e-4 measures the code and not the luck.
"""
import json
import math
import sys

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

HEIGHT, WIDTH, CLASSES, BATCH, STEPS = 190, 170, 50, 4, 10
SALT = "4/"  # goes before every name that is hashed
CONTRAST = 0.25  # images are in +-CONTRAST


def hashed(name, n):
    """n numbers of 32 bits: FNV-1a of the name, mixed with the index (murmur3's finaliser)."""
    seed = 2166136261
    for b in (SALT + name).encode():
        seed = ((seed ^ b) * 16777619) & 0xFFFFFFFF
    m = np.uint64(0xFFFFFFFF)
    h = (np.arange(n, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed)) & m
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & m
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & m
    h ^= h >> np.uint64(16)
    return h


def uniform(name, shape, limit):
    """Numbers in [-limit, limit), 24 bits each, rounded to float32 once."""
    u = (hashed(name, math.prod(shape)) >> np.uint64(8)).astype(np.float64) / (1 << 24)
    return torch.from_numpy(((2 * u - 1) * limit).astype(np.float32).reshape(shape))


class Same(nn.Conv2d):
    """3x3 convolution with TensorFlow's "same" padding: an odd row or column goes to the end."""

    def __init__(self, cin, cout, stride):
        super().__init__(cin, cout, 3, stride)

    def forward(self, x):
        pads = []
        for size in (x.shape[3], x.shape[2]):
            out = -(-size // self.stride[0])
            total = max((out - 1) * self.stride[0] + 3 - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class Block(nn.Module):
    def __init__(self, cin, cout, first, relu):
        super().__init__()
        self.relu = relu
        self.conv1 = Same(cin, cout, 1)
        self.conv2 = Same(cout, cout, 2 if first else 1)
        self.downsample = nn.Sequential(Same(cin, cout, 2)) if first else None

    def forward(self, x):
        shortcut = torch.relu(self.downsample(x)) if self.downsample else x
        y = self.conv2(torch.relu(self.conv1(x))) + shortcut
        return torch.relu(y) if self.relu else y


class SeedResNet(nn.Module):
    def __init__(self, height, width, classes, relu=False):
        super().__init__()
        self.conv1 = Same(3, 16, 1)
        self.layer1 = nn.Sequential(Block(16, 16, True, relu), Block(16, 16, False, relu))
        self.layer2 = nn.Sequential(Block(16, 32, True, relu), Block(32, 32, False, relu))
        quarter = lambda n: -(-(-(-n // 2)) // 2)
        self.fc = nn.Linear(32 * (quarter(height) // 7) * (quarter(width) // 7), classes)

    def forward(self, x):
        x = self.layer2(self.layer1(torch.relu(self.conv1(x))))
        return self.fc(torch.flatten(F.avg_pool2d(x, 7, 7), 1))


def build(relu):
    net = SeedResNet(HEIGHT, WIDTH, CLASSES, relu)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() < 2:
                p.zero_()
                continue
            area = math.prod(p.shape[2:])
            limit = math.sqrt(6 / ((p.shape[0] + p.shape[1]) * area))
            p.copy_(uniform(name, tuple(p.shape), limit))
    return net


def steps(relu, optimizer, **how):
    net = build(relu).to(**how)
    dtype = how.get("dtype", torch.float32)
    opt = optimizer(net.parameters())
    losses, norms = [], None
    for step in range(STEPS):
        x = uniform("x%d" % step, (BATCH, 3, HEIGHT, WIDTH), CONTRAST).to(dtype)
        labels = torch.from_numpy((hashed("label%d" % step, BATCH) % CLASSES).astype(np.int64))
        opt.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        if norms is None:
            norms = {n: float(p.grad.double().norm()) for n, p in net.named_parameters()}
        losses.append(float(loss.detach()))
        opt.step()
    return losses, norms


def run(relu, optimizer):
    losses, norms = steps(relu, optimizer, dtype=torch.float64)
    worst = 0.0
    for how in ({}, {"memory_format": torch.channels_last}):
        for a, b in zip(steps(relu, optimizer, **how)[0], losses):
            worst = max(worst, abs(a - b) / b)
    return {"losses": losses, "float32_differs": float("%.1e" % worst), "first_gradient_norms": norms}


if __name__ == "__main__":
    torch.manual_seed(0)
    sgd = lambda p: torch.optim.SGD(p, lr=0.01)
    adadelta = lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.95, eps=1e-7)
    json.dump({
        "made_by": "golden_seed_resnet.py with PyTorch " + torch.__version__,
        "height": HEIGHT, "width": WIDTH, "classes": CLASSES, "batch": BATCH,
        "runs": {
            "seed-resnet/sgd": run(False, sgd),
            "seed-resnet/adadelta": run(False, adadelta),
            "seed-resnet-relu/sgd": run(True, sgd),
            "seed-resnet-relu/adadelta": run(True, adadelta),
        },
    }, sys.stdout, indent=1)
    print()
