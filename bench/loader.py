"""Shuffled, mirrored, normalised batches of aligned samples: vf2prep's loader and its peers. Run by
make bench-loader; README.md says how to read it."""

import json
import os
import subprocess

import harness as h
from replicate import replicate

REPEAT = int(os.environ.get("REPEAT") or 10)  # copies of the tree
WARM = 2.0  # seconds before the clock runs
PEER = h.BENCH / "peers" / "loaderpeer.py"
OURS = "vf2prep loader"
THEIRS = {
    "FFCV, raw images": "ffcv",
    "FFCV, raw arrays, our own fused operation": "ffcv-fused",
    "Streaming (MDS), raw arrays": "streaming",
    "WebDataset, raw arrays": "webdataset",
    "WebDataset, aligned JPEG": "webdataset-jpeg",
    "PyTorch DataLoader, one mapped array, a batch at a time": "memmap",
    "PyTorch DataLoader, aligned JPEG files": "aligned",
    "PyTorch DataLoader, photos as JPEG files": "photos",
}
# Batches of 38 MB are given back to the system and faulted in again, unless malloc is told not to.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def run(argvs, pins, threads):
    """The Result of commands that run at once and print samples, seconds and CPU seconds."""
    env = {**os.environ, **{k: str(threads) for k in h.ONE_THREAD}, **MALLOC}
    with h.turn():
        ps = [subprocess.Popen(h.pinned(c, a), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
              for a, c in zip(argvs, pins, strict=True)]
        ends = [p.communicate() for p in ps]
    rate = cpu = 0.0
    for p, (text, err) in zip(ps, ends):
        if p.returncode:
            h.say(err)
            h.fail(f"exit code {p.returncode}: {' '.join(p.args)}")
        n, seconds, used = map(float, text.split())
        rate += n / seconds
        cpu += n / used / len(ps)
    return h.Result(rate, cpu)


def ours(shards, cores):
    return run([[h.GOPEER, "loader", shards, h.SECONDS, WARM]], [cores], len(cores))


def workers(data, cores, name):
    """One process, with a worker or thread for each core."""
    return run([[h.TORCH, PEER, name, data, h.SECONDS, WARM, len(cores)]], [cores], len(cores))


def ranks(data, cores, name):
    """A process for each core that reads for itself, as in data-parallel training."""
    return run([[h.TORCH, PEER, name, data, h.SECONDS, WARM, 1]] * len(cores), [[c] for c in cores], 1)


def race(shards, data, cores):
    contestants = {OURS: lambda: ours(shards, cores)}
    forms = {}  # the form that a peer runs in
    for label, name in THEIRS.items():
        if name.startswith("ffcv") and not (data / "rgb.beton").exists():
            h.say(f"{label}: not installed")
            continue
        forms[label] = workers
        contestants[label] = lambda label=label, name=name: forms[label](data, cores, name)
    contestants = {n: c for n, c in contestants.items() if h.ONLY.search(n)}
    if len(cores) > 1:  # the faster of two forms; Streaming lets no two processes read one directory
        for label in [n for n in forms if n in contestants and THEIRS[n] != "streaming"]:
            forms[label] = max((workers, ranks), key=lambda f: f(data, cores, THEIRS[label]).rate)
            h.say(f"{label}: {forms[label].__name__}")
    return h.rounds(contestants), forms


def rates_table(results, forms, cores):
    head = ["contestant", "samples/s", "samples/s/core", "samples/CPU s" if cores == 1 else "form", "spread", "vf2prep's is faster by"]
    rows = []
    for n in sorted(results, key=lambda n: -h.median(results[n]).rate):
        m = h.median(results[n])
        form = f"{m.cpu:,.0f}" if cores == 1 else forms[n].__name__ if n in forms else ""
        rows.append([n, f"{m.rate:,.0f}", f"{m.rate / cores:,.0f}", form, f"{h.spread(results[n]):.0%}", h.times(h.ratio(results, OURS, n))[0]])
    return h.table(head, rows)


def targets(runs):
    rows = []
    for n, (results, _) in runs.items():
        where = "one core" if n == 1 else f"{n} cores"
        peers = [p for p in results if p != OURS]
        best = max(peers, key=lambda p: h.median(results[p]).rate, default=None)
        if OURS in results:
            m = h.median(results[OURS])
            rows.append(h.target(f"samples/s/core, {where}", h.Result(m.rate / n, m.cpu) if n == 1 else m.rate / n, 100_000, 0))
        r = h.ratio(results, OURS, best)
        rows.append(h.target(f"against the best peer ({best}), {where}", r if n == 1 else r and r.rate, 3, unit="x"))
    return h.table(h.TARGETS, rows)


def prepare(s):
    """The aligned samples as a shard set, and in the formats of the peers."""
    tree, shards, data = s / "tree", s / "shards", s / "peers"
    replicate(h.DATA, tree, REPEAT)
    h.vf2prep("manifest", "build", "--root", tree, "--out", s / "manifest.parquet", "--quiet")
    h.vf2prep("split", "make", "--manifest", s / "manifest.parquet", "--val", 1, "--out", s / "split", "--quiet")
    h.vf2prep("cache", "build", "--manifest", s / "manifest.parquet", "--split", s / "split", "--root", tree,
              "--recipe", "arcface-112", "--out", shards, "--quiet")
    with open(s / "photos.txt", "w") as w:
        for line in open(s / "split" / "train_list.txt"):
            w.write(f"{tree}/train/{line.strip()}\t0\n")
    data.mkdir()
    h.say("writing the peers' formats")
    h.out(h.TORCH, PEER, "prepare", shards, s / "photos.txt", data)
    return shards, data


def main():
    h.need(h.VF2PREP, h.GOPEER, h.TORCH)
    with h.scratch() as s:
        shards, data = prepare(s)
        samples = json.loads((shards / "index.json").read_text())["parts"]["train"]["samples"]
        runs = {n: race(shards, data, h.CORES[-n:]) for n in sorted({1, len(h.CORES)})}
    text = ["# Loader: batches of 256, float32, 3x112x112, shuffled, mirrored, in [-1, 1]\n", f"    {h.command('bench-loader')}\n",
            h.machine("; ".join([h.versions(h.TORCH, "webdataset", "mosaicml-streaming", "ffcv", "numpy", "opencv-python-headless"),
                                 h.package("python3-torch"), h.package("python3-numba")]))
            + f"- data: {h.DATA.name}, {samples:,} aligned samples ({REPEAT} copies), all in memory; medians of {h.ROUNDS} interleaved rounds\n",
            "## Targets\n", targets(runs)]
    for n, (results, forms) in runs.items():
        text += [f"## {'One core' if n == 1 else f'{n} cores'}\n", rates_table(results, forms, n)]
        if n > 1:
            text.append("workers: one process with a worker or thread for each core; ranks: a process for each core. The faster one was taken.\n")
    h.write("loader.md", "\n".join(text))


if __name__ == "__main__":
    main()
