#!/usr/bin/env python3
"""Trains a torchvision network on a shard set, on any number of processes and machines.

    torchrun --nproc_per_node=8 train_ddp.py --shards shards/ --arch resnet50 --out runs/ddp
    torchrun --nnodes=4 --nproc_per_node=8 --rdzv_backend=c10d --rdzv_endpoint=HOST:29500 train_ddp.py ...

The same command goes on after a kill, in the middle of an epoch, and comes to the same weights. Needs torch,
torchvision, safetensors and vf2shards. docs/pytorch.md of vf2prep explains it.
"""

import argparse
import json
import math
import os
import pathlib

import torch
import torch.distributed as dist
import torch.nn.functional as F
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn.parallel import DistributedDataParallel

from vf2shards import Dataset, Loader, ShardSampler


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--shards", required=True, help="directory that vf2prep cache build wrote")
    p.add_argument("--out", required=True, type=pathlib.Path, help="directory of the run, one that all machines see")
    p.add_argument("--arch", default="resnet50", help="a network of torchvision with a last layer fc")
    p.add_argument("--init", help="first weights, safetensors: best.safetensors of a run of vf2prep train, or any state dict")
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--batch", type=int, default=64, help="images of a step of each process")
    p.add_argument("--lr", type=float, default=0.1, help="for a global batch of 256; scaled with the batch")
    p.add_argument("--warmup", type=int, default=0, help="steps in which the rate grows to its height")
    p.add_argument("--weight-decay", type=float, default=1e-4)
    p.add_argument("--order", default="shuffled", choices=["shuffled", "chunks"], help="chunks: sets larger than memory, network disks")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--workers", type=int, default=4, help="processes that read, for each that trains; changes no number")
    p.add_argument("--amp", action="store_true", help="bfloat16 where that is safe")
    p.add_argument("--checkpoint-every", type=int, default=1000, help="steps")
    p.add_argument("--log-every", type=int, default=10, help="steps; the loss is that step's, over all processes")
    p.add_argument("--stop-after", type=int, default=0, help="write a checkpoint and stop after so many steps in all")
    return p.parse_args()


def network(args, classes):
    """The network, with the weights of --init. A last layer for other classes is left out, and said."""
    net = getattr(torchvision.models, args.arch)(num_classes=classes)
    if args.init:
        weights, want = load_file(args.init), net.state_dict()
        fresh = [k for k, v in want.items() if k not in weights or weights[k].shape != v.shape]
        # Batch counters are PyTorch's alone; everything but the classifier must be there.
        bad = [k for k in fresh if not k.startswith("fc.") and not k.endswith("num_batches_tracked")]
        if bad:
            raise SystemExit(f"{args.init}: no weights of that shape for {', '.join(bad[:5])}: is it a {args.arch}?")
        net.load_state_dict({k: v for k, v in weights.items() if k in want and k not in fresh}, strict=False)
        if dist.get_rank() == 0:
            counters = sum(k.endswith("num_batches_tracked") for k in want)
            head = [k for k in fresh if k.startswith("fc.")]
            print(f"{args.init}: {len(want) - counters - len(head)} tensors taken, fresh: {', '.join(head) or 'none'}", flush=True)
    return net


def pixels(image, device, flips=None):
    """uint8 [B,C,H,W] as vf2prep's networks take it: float32, x/127.5 - 1. flips: bool [B], whom to mirror."""
    x = image.to(device, non_blocking=True).float().div_(127.5).sub_(1)
    return x if flips is None else torch.where(flips.to(device)[:, None, None, None], x.flip(3), x)


def rate(args, step, steps):
    """Half a cosine after the warm-up; a function of the step alone, so a run that goes on takes the same rates."""
    top = args.lr * args.batch * dist.get_world_size() / 256
    if step < args.warmup:
        return top * (step + 1) / args.warmup
    return top * 0.5 * (1 + math.cos(math.pi * (step - args.warmup) / max(steps - args.warmup, 1)))


def total(*values, device):
    """The sums over all ranks, as floats."""
    t = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(t)
    return t.tolist()


@torch.no_grad()
def validate(net, args, device):
    """Loss and accuracy on the part val, every image of which counts once."""
    ds = Dataset(args.shards, "val")
    sampler = ShardSampler(ds, args.batch, order="sequential", ends="keep")
    net.eval()
    loss = right = count = 0.0
    for image, label in Loader(ds, sampler, workers=args.workers):
        known = label >= 0
        out, label = net(pixels(image[known], device)), label[known].to(device)
        loss += F.cross_entropy(out, label, reduction="sum").item() if len(label) else 0.0
        right += (out.argmax(1) == label).sum().item()
        count += len(label)
    net.train()
    loss, right, count = total(loss, right, count, device=device)
    return {"val_loss": loss / max(count, 1), "val_top1": right / max(count, 1)}


def atomically(path, write):
    """A file appears under its name only when it is complete."""
    part = path.with_name(path.name + ".part")
    write(part)
    with open(part, "rb") as f:
        os.fsync(f.fileno())
    os.replace(part, path)


def named(net, optimizer):
    """All tensors of a checkpoint by name: those of the network and the optimizer's momentum."""
    out = {"net." + k: v.contiguous() for k, v in net.state_dict().items()}
    for name, p in net.named_parameters():
        if "momentum_buffer" in optimizer.state[p]:
            out["momentum." + name] = optimizer.state[p]["momentum_buffer"].contiguous()
    return out


def restore(path, net, optimizer, loader, options):
    """Puts back what save wrote, and returns how long metrics.jsonl was. safetensors runs no code, unlike torch.load."""
    with safe_open(path, "pt") as f:
        state = json.loads(f.metadata()["state"])
        tensors = {k: f.get_tensor(k) for k in f.keys()}
    other = [f"{k}: {state['options'].get(k)!r} there, {v!r} wanted" for k, v in options.items() if state["options"].get(k) != v]
    if other:
        raise SystemExit(f"{path.parent} holds another run: {'; '.join(other)}")
    loader.load_state_dict(state["loader"])
    net.load_state_dict({k: tensors["net." + k] for k in net.state_dict()})
    for name, p in net.named_parameters():
        if "momentum." + name in tensors:
            optimizer.state[p]["momentum_buffer"] = tensors["momentum." + name].to(p.device)
    return state["metrics"]


class Metrics:
    """metrics.jsonl of rank 0. What was written after the checkpoint that a run goes on from is cut off."""

    def __init__(self, path, size):
        self.file = None
        if dist.get_rank() == 0:
            self.file = open(path, "ab+")
            self.file.truncate(size)
            self.file.seek(0, os.SEEK_END)

    def write(self, **line):
        if self.file:
            self.file.write(json.dumps(line).encode() + b"\n")

    def sync(self):
        """How long the file is, all of it on the disk."""
        if not self.file:
            return 0
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.file.tell()


def main():
    args = arguments()
    cuda = torch.cuda.is_available()
    dist.init_process_group("nccl" if cuda else "gloo")  # under torchrun, which sets all that this needs
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    first = dist.get_rank() == 0
    args.out.mkdir(parents=True, exist_ok=True)

    train = Dataset(args.shards, "train")
    sets = [None] * dist.get_world_size()
    dist.all_gather_object(sets, (train.index.checksum, len(train)))
    if len(set(sets)) != 1:
        raise SystemExit(f"{args.shards} is not the same set on every machine: {sets}")
    sampler = ShardSampler(train, args.batch, seed=args.seed, order=args.order)  # rank and size are torchrun's
    loader = Loader(train, sampler, workers=args.workers, pin_memory=cuda, persistent_workers=args.workers > 0)
    steps = args.epochs * sampler.steps

    torch.manual_seed(args.seed)  # the same first weights everywhere
    net = network(args, len(train.classes)).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=0.9, weight_decay=args.weight_decay)
    # These may differ from one command of a run to the next. The loader knows the shards and the global batch.
    free = ("shards", "out", "batch", "workers", "checkpoint_every", "log_every", "stop_after")
    options = {k: v for k, v in vars(args).items() if k not in free}
    checkpoint, size = args.out / "checkpoint.safetensors", 0
    if checkpoint.exists():
        size = restore(checkpoint, net, optimizer, loader, options)
        if first:
            print(f"going on at step {loader.step} of epoch {loader.epoch + 1}")
    model = DistributedDataParallel(net, device_ids=[device.index] if cuda else None)
    metrics = Metrics(args.out / "metrics.jsonl", size)

    def save():
        if first:
            state = {"loader": loader.state_dict(), "options": options, "metrics": metrics.sync()}
            tensors = named(net, optimizer)
            atomically(checkpoint, lambda path: save_file(tensors, path, {"state": json.dumps(state)}))
        dist.barrier()

    for epoch in range(loader.epoch, args.epochs):
        for image, label in loader:
            step = epoch * sampler.steps + loader.step  # from 1
            for group in optimizer.param_groups:
                group["lr"] = rate(args, step - 1, steps)
            # What is random depends on seed, step and rank alone, or a run that goes on would go elsewhere.
            random = torch.Generator().manual_seed((args.seed << 40) + (step << 12) + dist.get_rank())
            flips = torch.rand(len(label), generator=random) < 0.5
            with torch.autocast(device.type, torch.bfloat16, enabled=args.amp):
                out = model(pixels(image, device, flips))
                loss = F.cross_entropy(out, label.to(device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % args.log_every == 0:
                (mean,) = total(loss.item() / dist.get_world_size(), device=device)
                metrics.write(kind="train", epoch=epoch + 1, step=step, loss=mean, lr=optimizer.param_groups[0]["lr"])
            if loader.step < sampler.steps:  # the last step's checkpoint comes after validation
                if step == args.stop_after:
                    save()
                    return
                if step % args.checkpoint_every == 0:
                    save()
        result = validate(net, args, device)
        metrics.write(kind="epoch", epoch=epoch + 1, **result)
        if first:
            print(f"epoch {epoch + 1}: validation loss {result['val_loss']:.3f}, top-1 {result['val_top1']:.3f}", flush=True)
        save()
        if step == args.stop_after:
            return
    if first:
        weights = {k: v.contiguous().cpu() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
        atomically(args.out / "last.safetensors", lambda path: save_file(weights, path, {"format": "pt"}))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
