"""Reads an export with TensorFlow and with TensorFlow Datasets and holds every sample against the
shard set.

    python interop/check_tfrecord.py EXPORT_DIR SHARDS_DIR
"""

import hashlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from shardset import Export, Pixels, ShardSet, require, same_landmarks, same_number

FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/format": tf.io.FixedLenFeature([], tf.string),
    "image/height": tf.io.FixedLenFeature([], tf.int64),
    "image/width": tf.io.FixedLenFeature([], tf.int64),
    "image/key/sha256": tf.io.FixedLenFeature([], tf.string),
    "image/source_id": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    "image/class/text": tf.io.FixedLenFeature([], tf.string),
    "face/age": tf.io.FixedLenFeature([], tf.float32),
    "face/gender": tf.io.FixedLenFeature([], tf.int64),
    "face/landmarks": tf.io.FixedLenFeature([5, 2], tf.float32),
}


def main(directory, shards):
    export, shards = Export(directory, "tfrecord"), ShardSet(shards)
    pixels, n = Pixels(export, shards, levels=24), 0  # TensorFlow's DCT is the fast one, not the accurate one
    builder = tfds.builder_from_directory(directory)
    label = builder.info.features["image"]["class"]["label"]
    if shards.classes:
        require(label.names == shards.classes, "names of classes differ")
    for part, counts in export.parts.items():
        require(counts["samples"] == shards.count(part), part, "has", counts["samples"], "samples, want", shards.count(part))
        if not counts["samples"]:
            continue
        require(builder.info.splits[part].num_examples == counts["samples"], part, "has", builder.info.splits[part].num_examples, "examples")
        files = [str(export.dir / f["name"]) for f in export.index["files"] if f.get("part") == part]
        raw = tf.data.TFRecordDataset(files)
        # One reader, so that examples come in the files' order.
        through = builder.as_dataset(split=part, read_config=tfds.ReadConfig(interleave_cycle_length=1))
        seen = 0
        for record, example, w in zip(raw, through, shards.samples(part), strict=True):
            r = {k: v.numpy() for k, v in tf.io.parse_single_example(record, FEATURES).items()}
            require(r["image/source_id"].decode() == w.key, "key", r["image/source_id"], "want", w.key)
            require(r["image/class/label"] == w.label, w.key, "label", r["image/class/label"], "want", w.label)
            require(r["image/class/text"].decode() == w.identity, w.key, "identity", r["image/class/text"])
            require(r["image/key/sha256"].decode() == hashlib.sha256(r["image/encoded"]).hexdigest(), w.key, "has another SHA-256")
            require(same_number(float(r["face/age"]), w.age), w.key, "age", r["face/age"], "want", w.age)
            require(r["face/gender"] == w.gender, w.key, "gender", r["face/gender"], "want", w.gender)
            require(same_landmarks(r["face/landmarks"], w.landmarks), w.key, "landmarks", r["face/landmarks"])
            require((r["image/height"], r["image/width"]) == w.image.shape[:2], w.key, "size", r["image/height"], r["image/width"])
            pixels.check(w, tf.io.decode_image(r["image/encoded"], 3).numpy(), r["image/encoded"])
            require(example["image"]["source_id"].numpy().decode() == w.key, "TFDS: key", example["image"]["source_id"], "want", w.key)
            require(int(example["image"]["class"]["label"]) == w.label, "TFDS:", w.key, "label")
            pixels.check(w, example["image"]["encoded"].numpy())
            require(np.array_equal(example["face"]["landmarks"].numpy(), w.landmarks, equal_nan=True), "TFDS:", w.key, "landmarks")
            seen += 1
        require(seen == counts["samples"], part, "has", seen, "samples, want", counts["samples"])
        n += seen
    print(f"tensorflow {tf.__version__}, tensorflow_datasets {tfds.__version__}: {n} samples, {pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
