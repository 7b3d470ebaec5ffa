#!/usr/bin/env python3
"""Weights of torchvision's ResNets in both directions.

A network that vf2prep trained gives torchvision's the same embeddings; one of torchvision's gives vf2prep the same.

check_torchvision.py SHARDS SHARDS
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import plain
import torch
import torchvision
from safetensors.torch import load_file, save_file

shards, vf2prep = sys.argv[1], os.environ["VF2PREP"]
TOLERANCE = 1e-4  # of float32 sums in another order, beside the largest value


def ours(top, run, init=None, freeze=None):
    """Trains a step and returns the embeddings of part val by key, and where the weights are."""
    command = [vf2prep, "train", "--shards", shards, "--arch", arch, "--optimizer", "sgd", "--batch", "4", "--max-steps", "1"]
    command += ["--init", init] if init else []
    command += ["--freeze", freeze] if freeze else []
    subprocess.run([*command, "--out", top / run, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([vf2prep, "embed", "--run", top / run, "--shards", shards, "--part", "val", "--no-normalize",
                    "--format", "npy", "--out", top / f"{run}-embeddings", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    keys = (top / f"{run}-embeddings" / "embeddings.keys.txt").read_text().split()
    return dict(zip(keys, np.load(top / f"{run}-embeddings" / "embeddings.npy"))), top / run / "best.safetensors"


@torch.no_grad()
def theirs(net):
    """torchvision's features before the last layer of the same images, by key."""
    net.eval()
    net.fc = torch.nn.Identity()
    out = {}
    for s in plain.samples(shards, "val"):
        x = torch.from_numpy(s["stored"].astype(np.float32))[None] / 127.5 - 1
        out[s["key"]] = net(x)[0].numpy()
    return out


def differ(a, b):
    assert a.keys() == b.keys() and a, "other images"
    return max(float(np.abs(a[k] - b[k]).max() / max(1, np.abs(a[k]).max())) for k in a)


classes = len(plain.index(shards)["classes"])
worst = []
for arch in ("resnet18", "resnet50"):
    with tempfile.TemporaryDirectory() as d:
        top = pathlib.Path(d)
        got, weights = ours(top, "ours")
        net = getattr(torchvision.models, arch)(num_classes=classes)
        missing = net.load_state_dict(load_file(weights), strict=False)
        assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
        worst.append(differ(got, theirs(net)))

        torch.manual_seed(1)
        net = getattr(torchvision.models, arch)(num_classes=1000)
        save_file(net.state_dict(), top / "torchvision.safetensors")
        got, _ = ours(top, "theirs", top / "torchvision.safetensors", "conv1.*,bn1.*,layer*")  # only fc learns
        worst.append(differ(got, theirs(net)))
print(f"resnet18, resnet50: embeddings of our weights in torchvision, of its in vf2prep: differ by {max(worst):.1e} at most")
sys.exit(max(worst) > TOLERANCE)
