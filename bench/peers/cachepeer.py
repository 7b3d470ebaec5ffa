"""A worker of the cache benchmark: cachepeer.py NAME LIST PART PARTS IMAGES.

Lines of LIST: path, the map from the aligned sample to the photo (six numbers), the crop of the
box (four), the box around the aligned sample (four), all computed beforehand. Keeps the protocol
of harness.py. The pixels stay in memory as each library leaves them: rows of BGR or RGB, not the
planes in RGB order that vf2prep stores, and nothing is written.
"""

import gc
import sys
import time

import numpy as np


def read(path):
    with open(path, "rb", buffering=0) as f:
        return f.read()


def opencv():
    import cv2

    cv2.setNumThreads(1)

    def decode(path):
        return cv2.imdecode(np.frombuffer(read(path), np.uint8), cv2.IMREAD_COLOR)

    def warp(img, m, **_):
        return cv2.warpAffine(img, m, (112, 112), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    def crop(img, crop, **_):
        x0, y0, x1, y1 = crop
        return cv2.resize(img[y0:y1, x0:x1], (224, 224), interpolation=cv2.INTER_LINEAR)

    def whole(img, **_):
        return cv2.resize(img, (170, 190), interpolation=cv2.INTER_LINEAR)

    return decode, {"align": warp, "crop": crop, "whole": whole, "decode": lambda img, **_: img}


def simplejpeg(**how):
    from simplejpeg import decode_jpeg

    return (lambda path: decode_jpeg(read(path), colorspace="BGR", **how)), opencv()[1]


def pillow():
    from PIL import Image

    def decode(path):
        return Image.open(path).convert("RGB")

    def warp(img, m, **_):
        return np.asarray(img.transform((112, 112), Image.Transform.AFFINE, tuple(m.ravel()), Image.Resampling.BILINEAR))

    def crop(img, crop, **_):
        return np.asarray(img.resize((224, 224), Image.Resampling.BILINEAR, box=crop))

    def whole(img, **_):
        return np.asarray(img.resize((170, 190), Image.Resampling.BILINEAR))

    return decode, {"align": warp, "crop": crop, "whole": whole}


def torchvision():
    import torch
    import torchvision.transforms.functional as tf
    from torchvision.io import ImageReadMode, decode_jpeg, read_file

    torch.set_num_threads(1)

    def decode(path):
        return decode_jpeg(read_file(path), ImageReadMode.RGB)

    def crop(img, crop, **_):
        x0, y0, x1, y1 = crop
        return tf.resize(img[:, y0:y1, x0:x1], [224, 224], antialias=True)

    def whole(img, **_):
        return tf.resize(img, [190, 170], antialias=True)

    return decode, {"crop": crop, "whole": whole}


LIBRARIES = {
    "opencv": opencv,
    "simplejpeg": simplejpeg,
    "simplejpeg-fast": lambda: simplejpeg(fastdct=True, fastupsample=True),
    "pillow": pillow,
    "torchvision": torchvision,
}


def main():
    name, path = sys.argv[1:3]
    part, parts, images = map(int, sys.argv[3:])
    library, what = name.split(":")
    decode, shapes = LIBRARIES[library]()
    shape = shapes[what]
    items = []
    with open(path) as f:
        for i, line in enumerate(f):
            if i == images:
                break
            if i % parts == part:
                p, *v = line.split("\t")
                items.append((p, np.array(v[:6], np.float64).reshape(2, 3), tuple(map(int, v[6:10]))))
    for p, m, crop in items[:200]:
        shape(decode(p), m=m, crop=crop)
    gc.freeze()
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.process_time()
    for p, m, crop in items:
        shape(decode(p), m=m, crop=crop)
    print("done", len(items), time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
