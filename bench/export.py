"""Samples to the formats of other programs: vf2prep's export, and the formats' own writers in
Python. Run by make bench-export; README.md says how to read it."""

import functools
import json
import os
import shutil
import statistics

import harness as h
from replicate import replicate

REPEAT = int(os.environ.get("REPEAT") or 10)  # copies of the tree
PEER = h.BENCH / "peers" / "exportpeer.py"
TF = h.BENCH / ".venv-tf" / "bin" / "python"
MX = h.BENCH / ".venv-mxnet" / "bin" / "python"
HF = h.BENCH / ".venv-hf" / "bin" / "python"
QUIET = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
# What is written: format, shard set, and more of vf2prep's flags.
TASKS = {
    "WebDataset, PNG": ("webdataset", "raw", ()),
    "WebDataset, JPEG 95 made of pixels": ("webdataset", "raw", ("--image", "jpeg")),
    "WebDataset, JPEGs as they are": ("webdataset", "jpeg", ()),
    "TFRecord, PNG": ("tfrecord", "raw", ()),
    "TFRecord, JPEGs as they are": ("tfrecord", "jpeg", ()),
    "Hugging Face's Parquet, PNG": ("parquet-hf", "raw", ()),
    "Hugging Face's Parquet, JPEGs as they are": ("parquet-hf", "jpeg", ()),
    "MXNet records, JPEG 95 made of pixels": ("mxnet-rec", "raw", ()),
    "MXNet records, JPEGs as they are": ("mxnet-rec", "jpeg", ()),
    "ImageFolder, PNG": ("imagefolder", "raw", ()),
    "ImageFolder, JPEGs as they are": ("imagefolder", "jpeg", ()),
    "NumPy arrays": ("npy", "raw", ()),
}
# The format's own writer with the encoders that are used with it.
THEIRS = {
    "WebDataset, PNG": {"ShardWriter + Pillow": (h.TORCH, "webdataset:pillow-png"), "ShardWriter + OpenCV": (h.TORCH, "webdataset:opencv-png"),
                        "ShardWriter + OpenCV, Huffman": (h.TORCH, "webdataset:opencv-huffman")},
    "WebDataset, JPEG 95 made of pixels": {"ShardWriter + Pillow": (h.TORCH, "webdataset:pillow-jpeg"), "ShardWriter + OpenCV": (h.TORCH, "webdataset:opencv-jpeg")},
    "WebDataset, JPEGs as they are": {"ShardWriter": (h.TORCH, "webdataset:copy")},
    "TFRecord, PNG": {"TFRecordWriter + tf.io.encode_png": (TF, "tfrecord:tensorflow-png"),
                      "TFRecordWriter + tf.io.encode_png, level 1": (TF, "tfrecord:tensorflow-fast")},
    "TFRecord, JPEGs as they are": {"TFRecordWriter": (TF, "tfrecord:copy")},
    "Hugging Face's Parquet, PNG": {
        "datasets + Pillow": (HF, "datasets:pillow-png"), "ParquetWriter + Pillow": (HF, "parquet:pillow-png"),
        "ParquetWriter + OpenCV": (HF, "parquet:opencv-png"), "ParquetWriter + OpenCV, Huffman": (HF, "parquet:opencv-huffman"),
    },
    "Hugging Face's Parquet, JPEGs as they are": {"datasets": (HF, "datasets:copy"), "ParquetWriter": (HF, "parquet:copy")},
    "MXNet records, JPEG 95 made of pixels": {"MXIndexedRecordIO + OpenCV": (MX, "mxnet:opencv-jpeg")},
    "MXNet records, JPEGs as they are": {"MXIndexedRecordIO": (MX, "mxnet:copy")},
    "ImageFolder, PNG": {"Pillow": (h.PEERS, "imagefolder:pillow-png"), "OpenCV": (h.PEERS, "imagefolder:opencv-png"),
                         "OpenCV, Huffman": (h.PEERS, "imagefolder:opencv-huffman")},
    "ImageFolder, JPEGs as they are": {"open, write": (h.PEERS, "imagefolder:copy")},
    "NumPy arrays": {"open_memmap": (h.PEERS, "npy"), "stack, save": (h.PEERS, "npy:stack")},
}


SIZE = {}  # bytes a sample of each contestant
DISK = []  # MB/s, of every round


def fresh(s):
    """A directory that nothing was in."""
    fresh.n += 1
    return s / f"out{fresh.n}"


fresh.n = 0


def take_away(out):
    """Frees what a turn wrote. Where there are many files they are emptied and stay until the end: ext4 passes
    over inodes that were removed in the last minutes one by one, which made the next turns' files,
    anybody's, take up to eight times as long."""
    files = [p for p in out.rglob("*") if p.is_file()]
    if len(files) < 200:
        shutil.rmtree(out)
        return
    for p in files:
        os.truncate(p, 0)


def ours(s, task, cores):
    """Samples a second of a whole export, by the seconds it reports."""
    form, kind, flags = TASKS[task]
    out = fresh(s)
    argv = [h.VF2PREP, "export", "--to", form, "--shards", s / kind, "--parts", "train", "--workers", len(cores), *flags,
            "--out", out, "--json", "--quiet"]
    text, _, cpu = h.measure(h.pinned(cores, argv))
    r = json.loads(text)
    take_away(out)
    if r["samples"] != r["planned"] or r["reused_pieces"]:
        h.fail(f"{task}: {r['samples']} samples of {r['planned']}, {r['reused_pieces']} pieces reused")
    SIZE[f"{task}: vf2prep"] = r["bytes"] / r["samples"]
    return h.Result(r["samples"] / r["seconds"], r["samples"] / cpu)


def theirs(s, task, label, cores, count, python, name):
    out = fresh(s)
    head = [python, PEER, name, s / TASKS[task][1], out]
    result, done = h.processes([[*head, i, len(cores), count] for i in range(len(cores))], cores, QUIET)
    if done != count:
        h.fail(f"{name}: {done} samples done, {count} were given")
    # Not what it warmed up with, and not what datasets keeps for itself.
    SIZE[f"{task}: {label}"] = sum(p.stat().st_size for p in out.rglob("*") if p.is_file() and not {"warm", "cache"} & set(p.relative_to(out).parts)) / done
    take_away(out)
    return result


def disk(s):
    """MB/s that the disk takes, once a round, since it is not the same all the time."""
    DISK.append(h.disk(s))
    return h.Result(DISK[-1], DISK[-1])


def race(s, samples, cores):
    contestants, counts = {}, {}  # and how many samples a peer takes: as many as last long enough
    for task in TASKS:
        contestants[f"{task}: vf2prep"] = functools.partial(ours, s, task, cores)
        for label, (python, name) in THEIRS[task].items():
            key = f"{task}: {label}"
            if not python.exists():
                h.say(f"{key}: not installed")
                continue
            counts[key] = min(samples, 500 * len(cores))
            contestants[key] = lambda k=key, t=task, l=label, p=python, n=name: theirs(s, t, l, cores, counts[k], p, n)
    contestants = {n: c for n, c in contestants.items() if h.ONLY.search(n)}
    h.say(f"warm-up on cores {cores}, {samples} samples")
    for name, run in contestants.items():
        rate = run().rate
        if name in counts:
            counts[name] = max(min(samples, round(h.SECONDS * rate)), len(cores))
    return h.rounds({"the disk": functools.partial(disk, s), **contestants})


def rates_table(results, cores):
    rows = []
    for name in results:
        if name == "the disk":
            continue
        task, who = name.rsplit(": ", 1)
        m = h.median(results[name])
        against = ["", ""] if who == "vf2prep" else h.times(h.ratio(results, f"{task}: vf2prep", name))
        rows.append([name, f"{m.rate:,.0f}", f"{m.rate / cores:,.0f}", f"{m.cpu:,.0f}", f"{h.spread(results[name]):.0%}", f"{SIZE[name]:,.0f}", *against])
    return h.table(["contestant", "samples/s", "samples/s/core", "samples/CPU s", "spread", "bytes/sample", "vf2prep is faster by", "by CPU time"], rows)


def targets(runs, disk):
    """Twice the format's own writer, or as fast as the disk."""
    rows = []
    for n, results in runs.items():
        where = "one core" if n == 1 else f"{n} cores"
        for task in TASKS:
            peers = [f"{task}: {label}" for label in THEIRS[task] if f"{task}: {label}" in results]
            best = max(peers, key=lambda p: h.median(results[p]).rate, default=None)
            r = h.ratio(results, f"{task}: vf2prep", best)
            if r is None:
                continue
            speed = h.median(results[f"{task}: vf2prep"]).rate * SIZE[f"{task}: vf2prep"] / 1e6
            met = "met" if r.rate >= 2 else "met by the disk" if speed >= 0.9 * disk else f"NOT MET ({(r.rate - 2) / 2 * 100:+.0f} %)"
            rows.append([f"{task}, against {best.rsplit(': ', 1)[1]}, {where}", ">= 2x, or the disk", f"{r.rate:.2f}x", f"{speed:,.0f} MB/s", met, f"{r.cpu:.2f}x"])
    return h.table(["target", "wanted", "measured", "written", "outcome", "by CPU time"], rows)


def prepare(s):
    """The shard sets raw and jpeg; returns the samples that train has."""
    tree = s / "tree"
    replicate(h.DATA, tree, REPEAT)
    h.vf2prep("manifest", "build", "--root", tree, "--out", s / "manifest.parquet", "--quiet")
    h.vf2prep("split", "make", "--manifest", s / "manifest.parquet", "--val", 1, "--out", s / "split", "--quiet")
    for kind in ("raw", "jpeg"):
        h.vf2prep("cache", "build", "--manifest", s / "manifest.parquet", "--split", s / "split", "--root", tree,
                  "--recipe", "arcface-112", "--encoding", kind, "--out", s / kind, "--quiet")
    # The tree stays until the end: see take_away.
    return json.loads((s / "raw" / "index.json").read_text())["parts"]["train"]["samples"]


def main():
    h.need(h.VF2PREP, h.PEERS, h.TORCH)
    if not (h.DATA / "train").is_dir():
        h.fail(f"no train/ in {h.DATA}: give DATA=DIR, a tree with VGGFace2's layout")
    with h.scratch() as s:
        samples = prepare(s)
        runs = {n: race(s, samples, h.CORES[-n:]) for n in sorted({1, len(h.CORES)})}
        written = max(DISK)
    text = ["# Export: samples of 112x112 to the formats of other programs\n", f"    {h.command('bench-export')}\n",
            h.machine("; ".join([h.versions(h.PEERS, "numpy", "pillow", "opencv-python-headless"),
                                 h.versions(h.TORCH, "webdataset", "opencv-python-headless", "pillow"),
                                 h.versions(TF, "tensorflow_cpu") if TF.exists() else "no TensorFlow",
                                 h.versions(HF, "datasets", "pyarrow", "pillow", "opencv-python-headless") if HF.exists() else "no datasets",
                                 h.versions(MX, "mxnet", "opencv-python-headless") if MX.exists() else "no MXNet"]))
            + f"- data: {h.DATA.name}, {samples:,} aligned samples ({REPEAT} copies); medians of {h.ROUNDS} interleaved rounds\n"
            + f"- the disk takes {written:,.0f} MB/s at best, {statistics.median(DISK):,.0f} in the median; vf2prep reads and checks shards, hashes what it writes (SHA-256) and syncs it;"
            + " the peers have their samples in memory and leave writing to the system\n",
            "## Targets\n", targets(runs, written)]
    for n, results in runs.items():
        text += [f"## {'One core' if n == 1 else f'{n} cores'}\n", rates_table(results, n)]
    h.write("export.md", "\n".join(text))


if __name__ == "__main__":
    main()
