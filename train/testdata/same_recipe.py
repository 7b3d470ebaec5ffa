#!/usr/bin/env python3
"""Trains a recipe of `vf2prep train` in PyTorch, on the same shards, and says how well it does.

    python3 same_recipe.py --shards DIR --config RECIPE.yaml [--seed N] [--threads N] [--arch ...]

It needs PyTorch (1.13 will do) and numpy. Any of the recipe's keys may be given as a flag too, and wins: --epochs 2,
--label-smoothing 0.1. A key that is not known here is an error, and not one that is left out.

It writes a JSON object a line: for each epoch the mean training loss, and loss and top-1 over the whole part
"val"; at the end those of the epoch with the smallest validation loss, which is the one that `vf2prep
train` keeps.

Networks, first weights' distribution, scaling, augmentation, loss, optimiser and rates are vf2prep's. Random numbers
are PyTorch's and numpy's, so weights, order and mirror images are others: runs agree as two seeds do, not in their
digits. All images are read into memory.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
import torchnets  # noqa: E402

# What `vf2prep train` takes where a recipe says nothing; a dictionary goes by optimiser.
USUAL = {
    "arch": "seed-resnet-relu", "optimizer": "adadelta", "batch": 4, "epochs": 9, "seed": 1,
    "learning-rate": {"adadelta": 1.0, "adam": 0.001, "sgd": 0.01}, "weight-decay": 0.0, "momentum": 0.9, "rho": 0.95,
    "beta1": 0.9, "beta2": 0.999, "epsilon": {"adadelta": 1e-7, "adam": 1e-8},
    "schedule": "constant", "warmup": 0, "milestones": "", "gamma": 0.1, "min-lr": 0.0,
    "label-smoothing": 0.0, "dropout": 0.0, "augment": "none",
}


def configuration(text, flags):
    """The recipe's keys and values, the flags', and the usual ones; the recipe is a flat YAML map."""
    given = {}
    for line in text.splitlines():
        line = line.split(" #")[0].strip()
        if line and not line.startswith("#"):
            key, value = line.split(":", 1)
            given[key.strip().replace("_", "-")] = value.strip().strip("\"'")
    given.update(flags)
    if unknown := sorted(set(given) - set(USUAL)):
        raise SystemExit(f"same_recipe.py: {', '.join(unknown)}: not done here; known are {', '.join(USUAL)}")
    config, optimizer = {}, given.get("optimizer", USUAL["optimizer"])
    for key, usual in USUAL.items():
        usual = usual.get(optimizer, 0.0) if isinstance(usual, dict) else usual
        config[key] = type(usual)(given.get(key, usual))
    for key, known in ("optimizer", ("adadelta", "adam", "sgd")), ("schedule", ("constant", "step", "cosine")):
        if config[key] not in known:
            raise SystemExit(f"same_recipe.py: {key} {config[key]}: not done here; known are {', '.join(known)}")
    return config


def tensors(path):
    """The tensors of a safetensors file, mapped: length of the header, header, data."""
    kinds = {"U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8", "F32": "<f4"}
    with open(path, "rb") as f:
        size = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(size))
    header.pop("__metadata__")
    return {
        name: np.memmap(path, kinds[t["dtype"]], "r", 8 + size + t["data_offsets"][0], tuple(t["shape"]))
        for name, t in header.items()
    }


def part(directory, index, name):
    """Images, uint8, and labels of a part; -1 is none."""
    shards = [tensors(directory / s["file"]) for s in index["parts"][name]["shards"]]
    return (np.concatenate([s["image"] for s in shards]), np.concatenate([s["label"] for s in shards]).astype(np.int64))


class Augment:
    """ "flip=0.5,pad=4,crop=112x112": a window of the image, edges repeated by pad pixels, and its mirror image."""

    def __init__(self, text, height, width):
        known = {"flip": "0", "pad": "0", "crop": f"{height}x{width}"}
        for word in text.split(",") if text not in ("", "none") else []:
            name, value = word.strip().split("=")
            if name not in known:
                raise SystemExit(f"same_recipe.py: augment: {name}: not done here; known are {', '.join(known)}")
            known[name] = value
        self.flip, self.pad = float(known["flip"]), int(known["pad"])
        sides = [int(n) for n in known["crop"].split("x")]
        self.height, self.width = sides[0], sides[-1]

    def train(self, images, draw):
        p = self.pad
        padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)), "edge") if p else images
        out = np.empty((*images.shape[:2], self.height, self.width), np.uint8)
        for to, image in zip(out, padded):
            y = draw.integers(image.shape[1] - self.height + 1)
            x = draw.integers(image.shape[2] - self.width + 1)
            window = image[:, y : y + self.height, x : x + self.width]
            to[:] = window[:, :, ::-1] if draw.random() < self.flip else window
        return out

    def center(self, images):
        y, x = (images.shape[2] - self.height) // 2, (images.shape[3] - self.width) // 2
        return images[:, :, y : y + self.height, x : x + self.width]


def values(images):
    """From 0 .. 255 to -1 .. 1."""
    return torch.from_numpy(images.astype(np.float32)) / 127.5 - 1


def first_weights(net, arch):
    """Glorot's for the small networks, which are Keras's; for the others He's over the fan out, and PyTorch's own
    for the last layer."""
    *body, last = [p for p in net.parameters() if p.dim() > 1]
    if arch.startswith("seed-resnet"):
        for p in [*body, last]:
            torch.nn.init.xavier_uniform_(p)
    else:
        for p in body:
            torch.nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu")
    for layer in net.modules():  # batch normalisation begins with 1 and 0 by itself
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)) and layer.bias is not None:
            torch.nn.init.zeros_(layer.bias)


def make_optimizer(c, net):
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": c["weight-decay"]},
        {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    rate = c["learning-rate"]
    if c["optimizer"] == "adadelta":
        return torch.optim.Adadelta(groups, lr=rate, rho=c["rho"], eps=c["epsilon"])
    if c["optimizer"] == "adam":
        return torch.optim.Adam(groups, lr=rate, betas=(c["beta1"], c["beta2"]), eps=c["epsilon"])
    return torch.optim.SGD(groups, lr=rate, momentum=c["momentum"])


def learning_rate(c, step, epoch, total):
    """Of a step and an epoch, both counted from 0, in a run of so many steps."""
    rate, warmup = c["learning-rate"], c["warmup"]
    if c["schedule"] == "step":
        rate *= c["gamma"] ** sum(epoch >= int(m) for m in c["milestones"].split(","))
    elif c["schedule"] == "cosine" and step > warmup:
        angle = math.pi * (step - warmup) / (total - warmup)
        rate = c["min-lr"] + (rate - c["min-lr"]) * (1 + math.cos(angle)) / 2
    return rate * (step + 1) / warmup if step < warmup else rate


@torch.no_grad()
def validate(net, augment, images, labels, batch=50):
    """Mean loss, without smoothing, and top-1 of the images with a label."""
    net.eval()
    loss, right = 0.0, 0
    for at in range(0, len(labels), batch):
        y = torch.from_numpy(labels[at : at + batch])
        logits = net(values(augment.center(images[at : at + batch])))
        loss += F.cross_entropy(logits.double(), y, ignore_index=-1, reduction="sum").item()
        right += (logits.argmax(1) == y).sum().item()
    n = int((labels >= 0).sum())
    return loss / n, right / n


def run(c, shards):
    index = json.loads((shards / "index.json").read_text())
    if index.get("encoding", "raw") != "raw":
        raise SystemExit(f"same_recipe.py: shards of encoding {index['encoding']}, want raw")
    images, labels = part(shards, index, "train")
    val = part(shards, index, "val")
    augment = Augment(c["augment"], *index["shape"][1:])
    torch.manual_seed(c["seed"])
    draw = np.random.default_rng(c["seed"])
    net = torchnets.build(c["arch"], augment.height, augment.width, len(index["classes"]), c["dropout"])
    first_weights(net, c["arch"])
    optimizer = make_optimizer(c, net)
    steps = -(-len(labels) // c["batch"])
    best = None
    for epoch in range(c["epochs"]):
        net.train()
        order, total, seen = draw.permutation(len(labels)), 0.0, 0
        for step in range(steps):
            batch = order[step * c["batch"] : (step + 1) * c["batch"]]
            y = torch.from_numpy(labels[batch])
            labelled = int((y >= 0).sum())
            if labelled == 0:
                continue
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(c, epoch * steps + step, epoch, c["epochs"] * steps)
            optimizer.zero_grad()
            x = values(augment.train(images[batch], draw))
            loss = F.cross_entropy(net(x), y, ignore_index=-1, label_smoothing=c["label-smoothing"])
            if not math.isfinite(loss.item()):
                raise SystemExit(f"same_recipe.py: epoch {epoch + 1}, step {step + 1}: loss is {loss.item()}")
            loss.backward()
            optimizer.step()
            total, seen = total + loss.item() * labelled, seen + labelled
        val_loss, top1 = validate(net, augment, *val)
        row = {"epoch": epoch + 1, "train_loss": total / seen, "val_loss": val_loss, "val_top1": top1}
        print(json.dumps(row), flush=True)
        if best is None or val_loss < best["val_loss"]:
            best = row
    return {
        "arch": c["arch"], "seed": c["seed"], "torch": torch.__version__, "best_epoch": best["epoch"],
        "val_loss": best["val_loss"], "val_top1": best["val_top1"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    for key in USUAL:
        parser.add_argument(f"--{key}")
    args = vars(parser.parse_args())
    shards, config, threads = args.pop("shards"), args.pop("config"), args.pop("threads")
    flags = {k.replace("_", "-"): v for k, v in args.items() if v is not None}
    torch.set_num_threads(threads)
    print(json.dumps(run(configuration(config.read_text(), flags), shards)))


if __name__ == "__main__":
    main()
