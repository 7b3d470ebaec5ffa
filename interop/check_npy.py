"""Reads an export with NumPy and holds every sample against the shard set.

    python interop/check_npy.py EXPORT_DIR SHARDS_DIR
"""

import sys

import numpy as np

from shardset import Export, Pixels, ShardSet, require, same_number

TYPES = {"images": (np.uint8, None), "labels": (np.int32, ()), "ages": (np.float32, ()), "genders": (np.int8, ()), "landmarks": (np.float32, (5, 2))}


def main(directory, shards):
    export, shards = Export(directory, "npy"), ShardSet(shards)
    pixels, n = Pixels(export, shards), 0
    require((export.dir / "classes.txt").read_text().splitlines() == shards.classes, "classes.txt differs")
    for part, counts in export.parts.items():
        arrays = {name: np.load(export.dir / part / f"{name}.npy", mmap_mode="r" if counts["samples"] else None) for name in TYPES}
        keys = (export.dir / part / "keys.txt").read_text().splitlines()
        for name, (dtype, shape) in TYPES.items():
            want = (shards.count(part), *(shards.index["shape"] if shape is None else shape))
            require(arrays[name].dtype == dtype and arrays[name].shape == want, part, name, arrays[name].dtype, arrays[name].shape, "want", want)
        require(len(keys) == counts["samples"] == shards.count(part), part, "has", len(keys), "keys, want", shards.count(part))
        for i, w in enumerate(shards.samples(part)):
            require(keys[i] == w.key and arrays["labels"][i] == w.label, part, i, keys[i], arrays["labels"][i], "want", w.key, w.label)
            require(same_number(float(arrays["ages"][i]), w.age) and arrays["genders"][i] == w.gender, w.key, "age or gender")
            require(np.array_equal(arrays["landmarks"][i], w.landmarks, equal_nan=True), w.key, "landmarks")
            image = np.moveaxis(arrays["images"][i], 0, -1)
            if shards.jpeg:  # decoded by vf2prep there and by Pillow here
                require(np.abs(image.astype(np.int16) - w.image).mean() < 2, w.key, "differs")
            else:
                pixels.check(w, image)
            n += 1
    print(f"numpy {np.__version__}: {n} samples, {'JPEGs as decoded' if shards.jpeg else pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
