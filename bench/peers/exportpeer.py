"""A worker of the export benchmark: exportpeer.py NAME SHARDS OUT I N SAMPLES.

Writes every N-th of the first SAMPLES samples of a shard set, from the I-th on, as a user of the
format's own Python writer would, with all that vf2prep's export has for them. Prints "ready", waits
for a line, works, and prints "done SAMPLES CPU". Samples are in memory before.
"""

import functools
import hashlib
import io
import math
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "interop"))
import plain

QUALITY = 95


def pillow_png(rgb):
    from PIL import Image

    b = io.BytesIO()
    Image.fromarray(rgb).save(b, "png")
    return b.getvalue()


def opencv_png(rgb):
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def opencv_huffman(rgb):
    """As fast as it gets: no matches are looked for."""
    import cv2

    how = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), how)[1].tobytes()


def pillow_jpeg(rgb):
    from PIL import Image

    b = io.BytesIO()
    Image.fromarray(rgb).save(b, "jpeg", quality=QUALITY, subsampling=0)
    return b.getvalue()


def opencv_jpeg(rgb):
    import cv2

    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), how)[1].tobytes()


def tensorflow_png(rgb):
    import tensorflow as tf

    return tf.io.encode_png(rgb).numpy()


def tensorflow_fast(rgb):
    import tensorflow as tf

    return tf.io.encode_png(rgb, compression=1).numpy()


ENCODERS = {
    "pillow-png": (pillow_png, "png"), "opencv-png": (opencv_png, "png"), "tensorflow-png": (tensorflow_png, "png"),
    "opencv-huffman": (opencv_huffman, "png"), "tensorflow-fast": (tensorflow_fast, "png"),
    "pillow-jpeg": (pillow_jpeg, "jpg"), "opencv-jpeg": (opencv_jpeg, "jpg"), "copy": (None, "jpg"),
}


def encoded(s, encode):
    if encode is None:
        return s["stored"]
    return encode(np.ascontiguousarray(s["stored"].transpose(1, 2, 0)))


def number(v):
    return None if math.isnan(v) else v


def webdataset(samples, out, classes, encode, ext):
    import webdataset as wds

    with wds.ShardWriter(str(out / "train-%06d.tar"), maxcount=10_000, maxsize=256 << 20, verbose=0) as w:
        for s in samples:
            meta = {"key": s["key"], "label": s["label"], "age": number(s["age"]), "gender": s["gender"], "landmarks": s["landmarks"].tolist()}
            w.write({"__key__": s["key"], ext: encoded(s, encode), "cls": s["label"], "json": meta})


def tfrecord(samples, out, classes, encode, ext):
    import tensorflow as tf

    def text(v):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[v]))

    def whole(v):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[v]))

    def floats(v):
        return tf.train.Feature(float_list=tf.train.FloatList(value=v))

    with tf.io.TFRecordWriter(str(out / "faces-train.tfrecord-00000-of-00001")) as w:
        for s in samples:
            image = encoded(s, encode)
            w.write(tf.train.Example(features=tf.train.Features(feature={
                "image/encoded": text(image), "image/format": text(b"png" if ext == "png" else b"jpeg"),
                "image/key/sha256": text(hashlib.sha256(image).hexdigest().encode()),
                "image/height": whole(112), "image/width": whole(112), "image/source_id": text(s["key"].encode()),
                "image/class/label": whole(s["label"]), "image/class/text": text(classes[s["label"]].encode()),
                "face/age": floats([s["age"]]), "face/gender": whole(s["gender"]), "face/landmarks": floats(s["landmarks"].reshape(-1)),
            })).SerializeToString())


def row(s, classes, image, ext):
    marks = None if np.isnan(s["landmarks"]).any() else s["landmarks"].reshape(-1)
    return {
        "image": {"bytes": image, "path": f"{s['key']}.{ext}"}, "label": s["label"], "key": s["key"],
        "identity": classes[s["label"]] if s["label"] >= 0 else s["key"].split("/")[0],
        "age": number(s["age"]), "gender": s["gender"] if s["gender"] >= 0 else None, "landmarks": marks,
    }


def features(classes):
    import datasets as d

    return d.Features({
        "image": d.Image(), "label": d.ClassLabel(names=classes), "key": d.Value("string"), "identity": d.Value("string"),
        "age": d.Value("float32"), "gender": d.ClassLabel(names=["male", "female"]), "landmarks": d.List(d.Value("float32")),
    })


def hugging_face(samples, out, classes, encode, ext):
    """As the documentation has it: a generator becomes Arrow, and that Parquet. A fingerprint, lest all samples be hashed."""
    import datasets

    def rows():
        for s in samples:
            yield row(s, classes, encoded(s, encode), ext)

    ds = datasets.Dataset.from_generator(rows, features=features(classes), cache_dir=str(out / "cache"), fingerprint="rows")
    ds.to_parquet(str(out / "train-00000-of-00001.parquet"))


def parquet(samples, out, classes, encode, ext):
    """Row groups of as many images, straight to the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = features(classes).arrow_schema
    with pq.ParquetWriter(out / "train-00000-of-00001.parquet", schema, compression="none", use_dictionary=False, write_statistics=False) as w:
        for i in range(0, len(samples), 1000):
            w.write_table(pa.Table.from_pylist([row(s, classes, encoded(s, encode), ext) for s in samples[i:i + 1000]], schema=schema))


def mxnet(samples, out, classes, encode, ext):
    """As InsightFace's data sets are: images by identity, then a record an identity, then the first."""
    from mxnet import recordio

    rec = recordio.MXIndexedRecordIO(str(out / "train.idx"), str(out / "train.rec"), "w")
    ranges, last = [], None
    with open(out / "train.lst", "w") as lst:
        for i, s in enumerate(sorted(samples, key=lambda s: s["label"]), 1):
            rec.write_idx(i, recordio.pack(recordio.IRHeader(2, [s["label"], 1], i, 0), encoded(s, encode)))
            lst.write(f"1\t{s['key']}\t{s['label']}\n")
            if s["label"] != last:
                ranges.append([i, i])
            last, ranges[-1][1] = s["label"], i + 1
    n = len(samples) + 1
    for i, r in enumerate(ranges):
        rec.write_idx(n + i, recordio.pack(recordio.IRHeader(2, r, n + i, 0), b""))
    rec.write_idx(0, recordio.pack(recordio.IRHeader(2, [n, n + len(ranges)], 0, 0), b""))
    rec.close()
    (out / "property").write_text(f"{len(classes)},112,112")


def imagefolder(samples, out, classes, encode, ext):
    for name in classes:
        os.makedirs(out / name, exist_ok=True)
    for s in samples:
        person, name = s["key"].split("/")
        with open(out / person / f"{name}.{ext}", "wb") as f:
            f.write(encoded(s, encode))


def npy(samples, out, classes, encode, ext, stack=False):
    if stack:
        np.save(out / "images.npy", np.stack([s["stored"] for s in samples]))
    else:
        x = np.lib.format.open_memmap(out / "images.npy", "w+", np.uint8, (len(samples), *samples[0]["stored"].shape))
        for i, s in enumerate(samples):
            x[i] = s["stored"]
    np.save(out / "labels.npy", np.array([s["label"] for s in samples], np.int32))
    np.save(out / "ages.npy", np.array([s["age"] for s in samples], np.float32))
    np.save(out / "genders.npy", np.array([s["gender"] for s in samples], np.int8))
    np.save(out / "landmarks.npy", np.stack([s["landmarks"] for s in samples]))
    (out / "keys.txt").write_text("".join(s["key"] + "\n" for s in samples))


def main(name, shards, out, i, n, count):
    form, _, how = name.partition(":")
    write = {"webdataset": webdataset, "tfrecord": tfrecord, "datasets": hugging_face, "parquet": parquet, "mxnet": mxnet, "imagefolder": imagefolder, "npy": npy}[form]
    encode, ext = ENCODERS.get(how, (None, ""))
    if how == "stack":
        write = functools.partial(npy, stack=True)
    i, n, count = int(i), int(n), int(count)
    samples = [s for k, s in zip(range(count), plain.samples(shards, "train")) if k % n == i]
    for s in samples:
        if not isinstance(s["stored"], bytes):
            s["stored"] = np.array(s["stored"])
    classes = plain.index(shards)["classes"]
    out = Path(out) / str(i)
    warm = out / "warm"
    warm.mkdir(parents=True)
    write(samples[:4], warm, classes, encode, ext)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.process_time()
    write(samples, out, classes, encode, ext)
    print("done", len(samples), time.process_time() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
