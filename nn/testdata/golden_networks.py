#!/usr/bin/env python3
"""Makes golden_networks.json: ten steps of resnet18, resnet50, senet50 and vgg16 in PyTorch.

    python3 golden_networks.py > golden_networks.json      (PyTorch 1.13, CPU)

Weights, images and labels come from the integer hash of golden_seed_resnet.py, which is also in
golden_test.go, so that no file of numbers is needed. Every name that is hashed is preceded by the
network's and a slash ("resnet18/layer1.0.conv1.weight", "resnet18/x0", "resnet18/label0"):

- weights of convolutions and linear layers: uniform in +-sqrt(6 / fan in), fan in = shape[1] * area;
- weights of batch norm: 1, but BRANCH for the last one of a residual branch (bn2 of resnet18's blocks,
  bn3 of the others'); biases 0;
- images "x0" to "x9", and "eval": uniform in [-1, 1);
- labels "label0" to "label9": the hash modulo the classes.

A step is SGD with momentum, as torch.optim.SGD has it, no weight decay, no dropout; batch norm in
training mode, epsilon 1e-5, momentum 0.1. "eval_logits" are those of the images "eval" after the ten
steps, in evaluation mode: they hold the running statistics.

All of it is computed in float64. "float32_differs" is how far PyTorch's own float32 is from that, at
worst, in its default and in its channels_last layout: relative for losses and the gradients' norms, as a
share of the largest logit for logits. It is the unit in which to read any difference. A batch norm
over few numbers blows rounding up, layer after layer, and training feeds it back: with BRANCH 1 and
rate 0.01 PyTorch's float32 is 6e-3 away in the first gradients of resnet50 and loses the thread of
the losses in three steps. BRANCH and RATE were picked so that it stays within 1e-4, and 1e-3 measures
the code and not the luck.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
import torchnets  # noqa: E402
from golden_seed_resnet import hashed, uniform  # noqa: E402

CLASSES, BATCH, STEPS = 10, 4, 10
RATE, MOMENTUM = 0.001, 0.9
BRANCH = 0.1
SIZES = {"resnet18": 64, "resnet50": 64, "senet50": 64, "vgg16": 32}  # of the input


def build(arch, size):
    net = torchnets.build(arch, size, size, CLASSES, dropout=0)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() > 1:
                limit = math.sqrt(6 / math.prod(p.shape[1:]))
                p.copy_(uniform(f"{arch}/{name}", tuple(p.shape), limit))
            elif name.endswith(".bias"):
                p.zero_()
            else:
                last = "bn2" if arch == "resnet18" else "bn3"
                p.fill_(BRANCH if name.endswith(last + ".weight") else 1)
    return net


def steps(arch, **how):
    """The losses, the norms of the first gradients by name, the logits in evaluation mode."""
    size = SIZES[arch]
    images = lambda name: uniform(f"{arch}/{name}", (BATCH, 3, size, size), 1).to(**how)
    net = build(arch, size).to(**how)
    sgd = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    losses, norms = [], {}
    for step in range(STEPS):
        labels = torch.from_numpy((hashed(f"{arch}/label{step}", BATCH) % CLASSES).astype(np.int64))
        sgd.zero_grad()
        loss = F.cross_entropy(net(images(f"x{step}")), labels)
        loss.backward()
        if step == 0:
            norms = {n: float(p.grad.double().norm()) for n, p in net.named_parameters()}
        losses.append(float(loss.detach()))
        sgd.step()
    net.eval()
    with torch.no_grad():
        return np.array(losses), norms, net(images("eval")).double().numpy()


def run(arch):
    losses, norms, logits = steps(arch, dtype=torch.float64)
    differs = {"losses": 0.0, "first_gradient_norms": 0.0, "eval_logits": 0.0}
    for how in {}, {"memory_format": torch.channels_last}:
        l, n, e = steps(arch, **how)
        for what, d in (("losses", np.abs(l - losses) / losses),
                        ("first_gradient_norms", [abs(n[k] / norms[k] - 1) for k in norms]),
                        ("eval_logits", np.abs(e - logits) / np.abs(logits).max())):
            differs[what] = max(differs[what], float(f"{np.max(d):.1e}"))
    print(arch, differs, *(f"{l:.4f}" for l in losses), file=sys.stderr)
    short = lambda v: float(f"{v:.10g}")
    return {"size": SIZES[arch], "losses": [short(l) for l in losses], "float32_differs": differs,
            "eval_logits": [[short(v) for v in row] for row in logits],
            "first_gradient_norms": {k: short(v) for k, v in norms.items()}}


if __name__ == "__main__":
    torch.manual_seed(0)
    json.dump({
        "made_by": "golden_networks.py with PyTorch " + torch.__version__,
        "classes": CLASSES, "batch": BATCH, "rate": RATE, "momentum": MOMENTUM, "branch": BRANCH,
        "networks": {arch: run(arch) for arch in SIZES},
    }, sys.stdout, indent=0)
    print()
