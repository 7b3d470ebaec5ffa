"""Photos to aligned or cropped samples: vf2prep's whole cache build, and peers that only decode and
resize. Run by make bench-cache; README.md says how to read it."""

import functools
import json
import os
import shutil

import harness as h
from replicate import replicate

REPEAT = int(os.environ.get("REPEAT") or 6)  # copies of the tree, for each core
PEER = h.BENCH / "peers" / "cachepeer.py"
OURS = {
    "vf2prep arcface-112": ("arcface-112", "", {}),
    "vf2prep arcface-112, AVX2": ("arcface-112", "", {"VF2PREP_CPU": "avx2"}),
    "vf2prep vggface2-256 at 224x224": ("vggface2-256", "224x224", {}),
    "vf2prep seed-190x170": ("seed-190x170", "", {}),
}
THEIRS = {
    "OpenCV imdecode + warpAffine 112": (h.PEERS, "opencv:align"),
    "simplejpeg + OpenCV warpAffine 112": (h.PEERS, "simplejpeg:align"),
    "simplejpeg fast DCT, fast upsampling + warpAffine 112": (h.PEERS, "simplejpeg-fast:align"),
    "Pillow transform 112": (h.PEERS, "pillow:align"),
    "Pillow-SIMD transform 112": (h.SIMD, "pillow:align"),
    "Go image/jpeg + imaging 112": (None, h.GOPEER, "imaging"),
    "OpenCV imdecode + crop, resize 224": (h.PEERS, "opencv:crop"),
    "Pillow crop, resize 224": (h.PEERS, "pillow:crop"),
    "Pillow-SIMD crop, resize 224": (h.SIMD, "pillow:crop"),
    "torchvision crop, resize 224": (h.TORCH, "torchvision:crop"),
    "OpenCV imdecode + resize 190x170": (h.PEERS, "opencv:whole"),
    "Pillow resize 190x170": (h.PEERS, "pillow:whole"),
    "torchvision resize 190x170": (h.TORCH, "torchvision:whole"),
    "libjpeg-turbo RGB decode alone": (None, h.TJDEC),
    "simplejpeg RGB decode alone": (h.PEERS, "simplejpeg:decode"),
    "OpenCV imdecode alone": (h.PEERS, "opencv:decode"),
}
DECODE_ALONE = [n for n in THEIRS if n.endswith("alone")]


class Tree:
    """A replicated tree with its manifest, split and the peers' list, in copies after each other."""

    def __init__(self, root, copies, base):
        self.root = root / f"tree-{copies}"
        names = replicate(h.DATA, self.root, copies)
        self.manifest, self.split = self.root / "manifest.parquet", self.root / "split"
        h.vf2prep("manifest", "build", "--root", self.root, "--out", self.manifest, "--quiet")
        h.vf2prep("split", "make", "--manifest", self.manifest, "--strategy", "first-n", "--val", 20,
                  "--min-train", 0, "--out", self.split, "--quiet")
        self.list = self.root / "list.tsv"
        with open(self.list, "w") as w:
            for new in names:
                for rel, rest in base:
                    subset, person, file = rel.split("/")[-3:]
                    w.write(f"{self.root}/{subset}/{new[person]}/{file}\t{rest}")
        self.base, self.images = len(base), len(base) * copies


def ours(tree, cores, recipe, size, env):
    """Images a second of a build into a fresh directory, by the seconds it reports."""
    out = tree.root / "out"
    argv = [h.VF2PREP, "cache", "build", "--manifest", tree.manifest, "--split", tree.split, "--root", tree.root,
            "--recipe", recipe, *(["--size", size] if size else []), "--workers", len(cores), "--out", out, "--json", "--quiet"]
    text, _, cpu = h.measure(h.pinned(cores, argv), env)
    s = json.loads(text)
    shutil.rmtree(out)
    if s["samples"] != tree.images or s["reused_shards"]:
        h.fail(f"{recipe}: {s['samples']} samples of {tree.images} images, {s['reused_shards']} shards reused")
    return h.Result(s["samples"] / s["seconds"], s["samples"] / cpu)


def theirs(tree, cores, copies, python, *argv):
    n = tree.base * copies
    head = [python, PEER, *argv] if python else list(argv)
    result, done = h.processes([[*head, tree.list, i, len(cores), n] for i in range(len(cores))], cores)
    if done != n:
        h.fail(f"{argv}: {done} images done, {n} were given")
    return result


def race(tree, cores):
    """name -> images a second in every round, on these cores."""
    copies = {}  # how many copies of the tree a peer takes: whole ones, as many as last long enough
    contestants = {}
    for name, (recipe, size, env) in OURS.items():
        if not env or "avx512f" in h.flags():
            contestants[name] = functools.partial(ours, tree, cores, recipe, size, env)
    for name, (python, *argv) in THEIRS.items():
        if python and not python.exists():
            h.say(f"{name}: not installed")
            continue
        copies[name] = 1
        contestants[name] = lambda name=name, p=python, a=argv: theirs(tree, cores, copies[name], p, *a)
    contestants = {n: c for n, c in contestants.items() if h.ONLY.search(n)}
    h.say(f"warm-up on cores {cores}, {tree.images} images")
    for name, run in contestants.items():
        rate = run().rate
        if name in copies:
            copies[name] = max(1, min(tree.images // tree.base, round(0.5 + h.SECONDS * rate / tree.base)))
    return h.rounds(contestants)


def recipe_of(name):
    """vf2prep's contestant that makes the same samples; for decoding alone, aligned ones."""
    for end, recipe in ((" 224", "vf2prep vggface2-256 at 224x224"), (" 190x170", "vf2prep seed-190x170")):
        if name.endswith(end):
            return recipe
    return "vf2prep arcface-112"


def rates_table(results, cores):
    rows = []
    for n in sorted(results, key=lambda n: (n in OURS, n not in DECODE_ALONE, recipe_of(n)), reverse=True):
        m = h.median(results[n])
        against = ["", ""] if n in OURS else h.times(h.ratio(results, recipe_of(n), n))
        rows.append([n, f"{m.rate:,.0f}", f"{m.rate / cores:,.0f}", f"{m.cpu:,.0f}", f"{h.spread(results[n]):.0%}", *against])
    return h.table(["contestant", "images/s", "images/s/core", "images/CPU s", "spread", "vf2prep, same samples", "by CPU time"], rows)


def targets(runs):
    one, two = runs[1], runs.get(2, {})
    ours, avx2 = "vf2prep arcface-112", "vf2prep arcface-112, AVX2"
    fastest = max((n for n in DECODE_ALONE if n in one), key=lambda n: h.median(one[n]).rate, default=DECODE_ALONE[0])
    both = {"one": one.get(ours), "two": two.get(ours)}
    scaling = h.ratio({k: v for k, v in both.items() if v}, "two", "one")
    return h.table(h.TARGETS, [
        h.target("arcface-112 against OpenCV imdecode + warpAffine, one core", h.ratio(one, ours, "OpenCV imdecode + warpAffine 112"), 2.3, unit="x"),
        h.target("arcface-112 against libjpeg-turbo RGB decode alone (tjdec.c), one core", h.ratio(one, ours, DECODE_ALONE[0]), 0.95, unit="x"),
        h.target(f"the same against the fastest decode alone ({fastest}), one core", h.ratio(one, ours, fastest), 0.95, unit="x"),
        h.target("arcface-112 against Go image/jpeg + imaging, one core", h.ratio(one, ours, "Go image/jpeg + imaging 112"), 14, unit="x"),
        h.target("arcface-112, two cores against one", scaling and scaling.rate, 1.8, unit="x"),
        h.target("arcface-112, AVX2 against AVX-512, one core", h.ratio(one, avx2, ours), 0.75, unit="x"),
    ])


def main():
    h.need(h.VF2PREP, h.GOPEER, h.TJDEC, h.PEERS, h.TORCH)
    if not (h.DATA / "train").is_dir():
        h.fail(f"no train/ in {h.DATA}: give DATA=DIR, a tree with VGGFace2's layout")
    with h.scratch() as s:
        h.vf2prep("manifest", "build", "--root", h.DATA, "--out", s / "manifest.parquet", "--quiet")
        lines = h.out(h.GOPEER, "items", s / "manifest.parquet", h.DATA).splitlines(keepends=True)
        base = [line.split("\t", 1) for line in lines]
        written = h.disk(s)
        runs = {}
        for n in sorted({1, min(2, len(h.CORES)), len(h.CORES)}):
            tree = Tree(s, min(REPEAT * n, 100), base)
            runs[n] = race(tree, h.CORES[-n:])
            shutil.rmtree(tree.root)
    text = ["# Cache: photos to samples\n", f"    {h.command('bench-cache')}\n",
            h.machine("; ".join([h.versions(h.PEERS, "opencv-python-headless", "simplejpeg", "pillow", "numpy"),
                                 h.versions(h.SIMD, "pillow-simd") if h.SIMD.exists() else "no Pillow-SIMD",
                                 h.package("python3-torch"), h.package("python3-torchvision"), h.package("libturbojpeg0"),
                                 "imaging 1.6.2"]))
            + f"- data: {h.DATA.name}, {len(base):,} images, {REPEAT} times a core; medians of {h.ROUNDS} interleaved rounds\n"
            + f"- the disk takes {written:,.0f} MB/s; vf2prep's builds write and sync, 38 kB an image at 112x112, 151 kB at 224x224\n",
            "## Targets\n", targets(runs)]
    for n, results in runs.items():
        text += [f"## {'One core' if n == 1 else f'{n} cores'}\n", rates_table(results, n)]
    h.write("cache.md", "\n".join(text))


if __name__ == "__main__":
    main()
