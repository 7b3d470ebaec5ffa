"""Exports a shard set, has vf2prep describe the exports and holds what mlcroissant makes of the
descriptions against the shard set.

    python interop/check_croissant.py SHARDS_DIR SHARDS_DIR

VF2PREP names the binary.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

WORK = tempfile.TemporaryDirectory(dir=os.environ.get("VF2PREP_WORK"))
os.environ["CROISSANT_CACHE"] = WORK.name + "/cache"  # which unpacks archives

import mlcroissant as mlc
import numpy as np

from shardset import Export, Pixels, ShardSet, require, same_landmarks, same_number

# Formats, and whether their samples can be loaded.
FORMATS = {"parquet-hf": True, "imagefolder": True, "webdataset": True, "tfrecord": False, "npy": False}
NAMES = ("image", "key", "label", "identity", "age", "gender", "landmarks")


def vf2prep(*args):
    subprocess.run([os.environ.get("VF2PREP", "vf2prep"), "export", *map(str, args), "--quiet"], check=True, stdout=subprocess.DEVNULL)


def text(v):
    return v.decode() if isinstance(v, bytes) else v


def records(ds, form, part):
    """The samples of a part as dicts of NAMES, what the format's description does not have left out."""
    if form == "parquet-hf":
        for r in ds.records("samples", filters={"samples/split": part}):
            require(text(r["samples/split"]) == part, "split", r["samples/split"], "want", part)
            yield {n: text(r[f"samples/{n}"]) for n in NAMES}
        return
    for r in ds.records(part):
        r = {k.split("/", 1)[1]: text(v) for k, v in r.items()}
        if form == "imagefolder":
            r["landmarks"] = None if r["x1"] is None else [r[f"{a}{i}"] for i in range(1, 6) for a in "xy"]
        if form == "webdataset":
            r["key"] = r["identity"] + "/" + r["name"]
            r["label"] = -1 if r["label"] is None else r["label"]
        yield r


def check(form, shards):
    directory = Path(WORK.name) / form
    pieces = ("--max-count", "40") if form in ("parquet-hf", "webdataset") else ()
    vf2prep("--to", form, "--shards", shards.dir, "--out", directory, *pieces)
    vf2prep("--to", "croissant", "--of", directory, "--license", "https://example.org/terms", "--url", "https://example.org/faces", "--name", "Some faces")
    jsonld = directory / "croissant.json"
    tool = Path(sys.executable).parent / "mlcroissant"
    done = subprocess.run([tool, "validate", "--jsonld", jsonld], capture_output=True, text=True)
    require(done.returncode == 0 and "error" not in done.stderr.lower(), form, "is not valid:", done.stderr)
    export = Export(directory, form)
    ds = mlc.Dataset(jsonld)
    m = ds.metadata
    require(m.name == "Some faces" and m.license == ["https://example.org/terms"] and m.url == "https://example.org/faces", m.name, m.license, m.url)
    require(m.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.0", "conforms to", m.ctx.conforms_to)
    for f in m.file_objects:
        b = (directory / f.content_url).read_bytes()
        require(hashlib.sha256(b).hexdigest() == f.sha256 and f.content_size == f"{len(b)} B", form, f.content_url, "is not what is described")
    described = {f.content_url for f in m.file_objects}
    require(described == {f["name"] for f in export.index["files"]} | {"export.json"}, form, "describes", described)
    splits = {text(r["splits/name"]): r["splits/samples"] for r in ds.records("splits")}
    require(splits == {part: c["samples"] for part, c in export.parts.items()}, form, "splits", splits)
    classes = {r["classes/label"]: text(r["classes/name"]) for r in ds.records("classes")}
    require(classes == dict(enumerate(shards.classes)), form, "classes differ")
    if not FORMATS[form]:
        return 0
    pixels, n = Pixels(export, shards, levels=0), 0  # Pillow decodes here and there
    for part, counts in export.parts.items():
        want, seen = {w.key: w for w in shards.samples(part)}, 0
        require(len(want) == counts["samples"], part, "has", counts["samples"], "samples, want", len(want))
        for r in records(ds, form, part) if want else ():
            w = want.pop(r["key"], None)
            require(w is not None, form, part, "has", r["key"], "which is not in the shards or came twice")
            require(r["label"] == w.label, form, w.key, "label", r["label"], "want", w.label)
            require(r["identity"] == w.identity, form, w.key, "identity", r["identity"])
            if "age" in r:
                require(same_number(r["age"], w.age), form, w.key, "age", r["age"], "want", w.age)
                require((-1 if r["gender"] is None else r["gender"]) == w.gender, form, w.key, "gender", r["gender"])
                require(same_landmarks(r["landmarks"], w.landmarks), form, w.key, "landmarks", r["landmarks"], w.landmarks)
            pixels.check(w, np.asarray(r["image"].convert("RGB")))
            seen += 1
        require(not want, form, part, "lacks", len(want), "samples")
        n += seen
    return n


def main(_, shards):
    shards, said = ShardSet(shards), []
    for form in FORMATS:
        n = check(form, shards)
        said.append(f"{form} {n} samples, pixels equal" if n else f"{form} described")
    print(f"mlcroissant {version('mlcroissant')}: {'; '.join(said)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
