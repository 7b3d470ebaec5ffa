"""A manifest of VGGFace2's full size from its metadata: vf2prep, pandas, DuckDB and polars. Run by
make bench-manifest; README.md says how to read it."""

import functools
import json
import os
from pathlib import Path

import harness as h

IDENTITY_META = Path(os.environ.get("IDENTITY_META") or h.ROOT.parent / "shared/data/vggface2_meta/identity_meta.reconstructed.csv")
PEER = h.BENCH / "peers" / "manifestpeer.py"
OURS = "vf2prep manifest build"
THEIRS = {"DuckDB": "duckdb", "polars": "polars", "pandas": "pandas"}


def draw(root):
    """Metadata of 3,311,286 images as the real identity_meta.csv counts them, or about as many."""
    if IDENTITY_META.exists():
        who = ["--identity-meta", IDENTITY_META]
    else:
        h.say(f"no {IDENTITY_META}: as many identities, 363 images each")
        who = ["--identities", 9131, "--test-identities", 500, "--images", 363]
    return json.loads(h.vf2prep("synth", "--out", root, "--metadata-only", *who, "--json", "--quiet"))["images"]


def ours(root, out, cores, peaks):
    none = [f"--{f}=none" for f in ("ages", "identity-ages", "attributes")]
    argv = [h.VF2PREP, "manifest", "build", "--root", root, "--trust-list", "--no-scan", *none, "--out", out, "--json", "--quiet"]
    text, peak, cpu = h.measure(h.pinned(cores, argv))
    s = json.loads(text)
    peaks.append(peak)
    return h.Result(s["images"] / s["seconds"], s["images"] / cpu)


def theirs(root, out, cores, peaks, name, images):
    env = {k: str(len(cores)) for k in h.ONE_THREAD}
    text, peak, _ = h.measure(h.pinned(cores, [h.PEERS, PEER, name, root, out, len(cores)]), env)
    seconds, cpu = map(float, text.split())
    peaks.append(peak)
    return h.Result(images / seconds, images / cpu)


def race(s, root, images, cores):
    peaks = {n: [] for n in (OURS, *THEIRS)}
    files = {n: s / f"{n.split()[0]}.parquet" for n in peaks}
    contestants = {OURS: functools.partial(ours, root, files[OURS], cores, peaks[OURS])}
    for label, name in THEIRS.items():
        contestants[label] = functools.partial(theirs, root, files[label], cores, peaks[label], name, images)
    contestants = {n: c for n, c in contestants.items() if h.ONLY.search(n)}
    results = h.rounds(contestants)
    for label in THEIRS:
        if OURS in results and label in results:
            h.out(h.PEERS, PEER, "check", files[OURS], files[label])
            h.say(f"{label}: the same rows as vf2prep's")
    return results, peaks, {n: f.stat().st_size / 1e6 for n, f in files.items() if n in results}


def table(results, peaks, sizes, images):
    rows = []
    for n in results:
        m = h.median(results[n])
        rows.append([n, f"{images / m.rate:.2f}", f"{images / m.cpu:.2f}", f"{h.spread(results[n]):.0%}", f"{max(peaks[n]):,.0f}",
                     f"{sizes[n]:,.0f}", *h.times(h.ratio(results, OURS, n))])
    return h.table(["contestant", "seconds", "CPU seconds", "spread", "peak RSS, MiB", "file, MB", "vf2prep is faster by", "by CPU time"], rows)


def main():
    h.need(h.VF2PREP, h.PEERS)
    with h.scratch() as s:
        images = draw(s / "full")
        runs = {n: race(s, s / "full", images, h.CORES[-n:]) for n in sorted({1, len(h.CORES)})}
    targets = []
    for n, (results, peaks, _) in runs.items():
        where = "one core" if n == 1 else f"{n} cores"
        targets.append(h.target(f"peak RSS of vf2prep, {where}", max(peaks[OURS], default=None), 600, 0, most=True, unit=" MiB"))
    text = ["# Manifest: the metadata of the full set to Parquet\n", f"    {h.command('bench-manifest')}\n",
            h.machine(h.versions(h.PEERS, "pandas", "pyarrow", "duckdb", "polars", "numpy"))
            + f"- data: drawn metadata of {images:,} images: lists, boxes, landmarks, identities; medians of {h.ROUNDS} interleaved rounds\n",
            "## Targets\n", h.table(h.TARGETS, targets)]
    for n, (results, peaks, sizes) in runs.items():
        text += [f"## {'One core' if n == 1 else f'{n} cores'}\n", table(results, peaks, sizes, images)]
    h.write("manifest.md", "\n".join(text))


if __name__ == "__main__":
    main()
