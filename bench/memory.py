"""Peak memory of vf2prep cache build on few images and on many. Run by make bench-memory."""

import json
import os
import shutil

import harness as h
from replicate import replicate

SIZES = [int(n) for n in (os.environ.get("IMAGES") or "3000 300000").split()]
MEMORY = int(os.environ.get("MEMORY") or 512)  # MiB, given to --memory
SLACK = 200  # MiB that a build may take beyond --memory
RECIPES = ["arcface-112", "vggface2-256"]


def build(root, out, recipe, memory):
    argv = [h.VF2PREP, "cache", "build", "--manifest", root / "manifest.parquet", "--split", root / "split", "--root", root,
            "--recipe", recipe, *memory, "--out", out, "--json", "--quiet"]
    text, peak, _ = h.measure(argv)
    shutil.rmtree(out)
    return json.loads(text), peak


def main():
    h.need(h.VF2PREP)
    listed = "--memory" in h.vf2prep("cache", "build", "--help")
    memory = ["--memory", f"{MEMORY}MiB"] if listed else []
    base = sum(1 for p in h.DATA.glob("t*/*/*.jpg"))
    if not base:
        h.fail(f"no images in {h.DATA}: give DATA=DIR, a tree with VGGFace2's layout")
    rows, targets = [], []
    with h.scratch() as s:
        for wanted in SIZES:
            root = s / f"tree-{wanted}"
            replicate(h.DATA, root, max(1, round(wanted / base)))
            text, peak, _ = h.measure([h.VF2PREP, "manifest", "build", "--root", root, "--out", root / "manifest.parquet", "--json", "--quiet"])
            rows.append([f"manifest build, {json.loads(text)['images']:,} images", f"{json.loads(text)['seconds']:.1f}", f"{peak:,.0f}"])
            h.vf2prep("split", "make", "--manifest", root / "manifest.parquet", "--min-train", 0, "--out", root / "split", "--quiet")
            for recipe in RECIPES:
                r, peak = build(root, s / "out", recipe, memory)
                what = f"cache build {recipe}, {r['images']:,} images"
                rows.append([what, f"{r['seconds']:.1f}", f"{peak:,.0f}"])
                h.say(*rows[-1])
                if listed:
                    targets.append(h.target(f"{what}: --memory {MEMORY} MiB + {SLACK}", peak, MEMORY + SLACK, 0, most=True, unit=" MiB"))
            shutil.rmtree(root)
    note = "" if listed else "This vf2prep has no --memory: no targets, peaks alone.\n"
    text = ["# Memory of a cache build\n", f"    {h.command('bench-memory')}\n", h.machine("none but vf2prep"),
            h.table(h.TARGETS, targets) if targets else note,
            "Peak resident memory as the kernel reports it, shared pages of mapped files included.\n",
            h.table(["job", "seconds", "peak RSS, MiB"], rows)]
    h.write("memory.md", "\n".join(text))


if __name__ == "__main__":
    main()
