"""A worker of the loader benchmark.

loaderpeer.py prepare SHARDS LIST DIR    writes the samples of a shard set in the peers' formats
loaderpeer.py NAME DIR SECONDS WARM N    reads them with N threads or processes

Batches of 256 float32 (3, 112, 112) in [-1, 1], shuffled, each mirrored with probability 0.5.
Prints the samples, the seconds and those of CPU time of this process, after WARM seconds that are not counted.
"""

import io
import json
import sys
import tarfile
import time
from pathlib import Path

import numpy as np

SHAPE, BATCH, QUALITY = (3, 112, 112), 256, 95
torch = None  # imported by main, after the peer's own choice of threads


# How samples become a batch ---------------------------------------------------------------------


def finish(x):
    """uint8 (N, 3, H, W), one array, to the batch. The batch mirrors at once: the fastest way."""
    if isinstance(x, np.ndarray):
        x = torch.from_numpy(x)
    out = x.to(torch.float32).mul_(1 / 127.5).sub_(1)
    mirrored = torch.nonzero(torch.rand(len(x)) < 0.5)[:, 0]
    out[mirrored] = out[mirrored].flip(3)
    return out


def collate(samples):
    x, y = zip(*samples)
    return np.stack(x), np.array(y)


def planes(rgb):
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def decode(jpeg):
    import cv2

    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


# Peers: each yields batches of float32, for ever --------------------------------------------------


def dataloader(dataset, workers, **how):
    """PyTorch's DataLoader as it is recommended: workers that stay, and batches ahead."""
    if workers > 1:
        how.update(num_workers=workers, persistent_workers=True, prefetch_factor=4)
    return torch.utils.data.DataLoader(dataset, **how)


def epochs(make, clean=lambda b: finish(b[0])):
    loader = make()
    while True:
        for batch in loader:
            yield clean(batch)


class Photos:
    """Map-style: VGGFace2's own JPEG files, decoded and resized for every batch."""

    def __init__(self, path):
        self.items = [(p, int(y)) for p, y in (line.rstrip("\n").split("\t") for line in open(path))]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        import cv2

        p, y = self.items[i]
        with open(p, "rb", buffering=0) as f:
            return planes(cv2.resize(decode(f.read()), SHAPE[:0:-1], interpolation=cv2.INTER_LINEAR)), y


class Aligned(Photos):
    """Map-style: the aligned samples as JPEG files."""

    def __getitem__(self, i):
        p, y = self.items[i]
        with open(p, "rb", buffering=0) as f:
            return planes(decode(f.read())), y


class Memmap:
    """Map-style: one array on disk, of which a whole batch is taken at once."""

    def __init__(self, d):
        self.y = np.load(d / "y.npy")
        self.x = np.load(d / "x.npy", mmap_mode="r")

    def __len__(self):
        return len(self.y)

    def __getitem__(self, batch):  # a list, by batch_size=None and a BatchSampler
        return self.x[batch], self.y[batch]


def photos(d, n):
    return epochs(lambda: dataloader(Photos(d / "photos.txt"), n, batch_size=BATCH, shuffle=True, collate_fn=collate))


def aligned(d, n):
    return epochs(lambda: dataloader(Aligned(d / "aligned.txt"), n, batch_size=BATCH, shuffle=True, collate_fn=collate))


def memmap(d, n):
    data = Memmap(d)
    batches = torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(data), BATCH, False)
    return epochs(lambda: dataloader(data, n, sampler=batches, batch_size=None))


def webdataset(d, n, name, decoder):
    import webdataset as wds

    def make():
        data = wds.WebDataset(sorted(str(p) for p in d.glob("*.tar")), shardshuffle=1000, empty_check=False)
        data = data.shuffle(2000).map(lambda s: (decoder(s[name]), int(s["cls"])))
        return wds.WebLoader(data.batched(BATCH, collation_fn=collate), batch_size=None, num_workers=n if n > 1 else 0,
                             **({"persistent_workers": True, "prefetch_factor": 4} if n > 1 else {}))

    return epochs(make)


def raw(b):
    return np.frombuffer(b, np.uint8).reshape(SHAPE)


def streaming(d, n):
    from streaming import StreamingDataset

    class Dataset(StreamingDataset):
        def __getitem__(self, i):
            s = super().__getitem__(i)
            return raw(s["x"]), s["y"]

    def make():
        data = Dataset(local=str(d), shuffle=True, batch_size=BATCH, shuffle_block_size=1 << 18)
        return dataloader(data, n, batch_size=BATCH, collate_fn=collate)

    return epochs(make)


def ffcv(path, n, image):
    from ffcv.loader import Loader, OrderOption

    loader = Loader(str(path), batch_size=BATCH, num_workers=n, os_cache=True, order=OrderOption.RANDOM,
                    drop_last=False, pipelines={"image": image, "label": None})
    while True:
        for batch in loader:
            yield batch[0]


def ffcv_stock(d, n):
    from ffcv.fields.rgb_image import SimpleRGBImageDecoder
    from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor, ToTorchImage

    grey = np.full(3, 127.5)
    return ffcv(d / "rgb.beton", n, [SimpleRGBImageDecoder(), RandomHorizontalFlip(0.5),
                                     NormalizeImage(grey, grey, np.float32), ToTensor(), ToTorchImage()])


def ffcv_fused(d, n):
    """FFCV with mirror and normalisation written as one compiled operation of our own."""
    from dataclasses import replace

    from ffcv.fields.ndarray import NDArrayDecoder
    from ffcv.pipeline.allocation_query import AllocationQuery
    from ffcv.pipeline.compiler import Compiler
    from ffcv.pipeline.operation import Operation
    from ffcv.transforms import ToTensor

    class FlipNormalize(Operation):
        def generate_code(self):
            each = Compiler.get_iterator()

            def run(x, out):
                k = np.float32(1 / 127.5)
                for i in each(x.shape[0]):
                    if np.random.rand() < 0.5:
                        for c in range(x.shape[1]):
                            for r in range(x.shape[2]):
                                out[i, c, r] = x[i, c, r, ::-1] * k - np.float32(1)
                    else:
                        out[i] = x[i] * k - np.float32(1)
                return out

            run.is_parallel = True
            return run

        def declare_state_and_memory(self, state):
            return replace(state, dtype=np.dtype("float32")), AllocationQuery(state.shape, np.dtype("float32"))

    return ffcv(d / "array.beton", n, [NDArrayDecoder(), FlipNormalize(), ToTensor()])


PEERS = {
    "photos": photos,
    "aligned": aligned,
    "memmap": memmap,
    "webdataset-jpeg": lambda d, n: webdataset(d / "tar-jpeg", n, "jpg", lambda b: planes(decode(b))),
    "webdataset": lambda d, n: webdataset(d / "tar-raw", n, "bin", raw),
    "streaming": lambda d, n: streaming(d / "mds", n),
    "ffcv": ffcv_stock,
    "ffcv-fused": ffcv_fused,
}


# The peers' formats -------------------------------------------------------------------------------


def prepare(shards, photos_list, d):
    import cv2
    from safetensors.numpy import load_file
    from streaming import MDSWriter

    index = json.loads((shards / "index.json").read_text())
    parts = [load_file(shards / s["file"]) for s in index["parts"]["train"]["shards"]]
    x = np.concatenate([p["image"] for p in parts])
    y = np.concatenate([p["label"] for p in parts]).astype(np.int64)
    np.save(d / "x.npy", x)
    np.save(d / "y.npy", y)

    jpegs = []
    for a in x:
        ok, j = cv2.imencode(".jpg", cv2.cvtColor(a.transpose(1, 2, 0), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        assert ok
        jpegs.append(j.tobytes())
    (d / "aligned").mkdir()
    with open(d / "aligned.txt", "w") as f:
        for i, j in enumerate(jpegs):
            p = d / "aligned" / f"{i:06d}.jpg"
            p.write_bytes(j)
            f.write(f"{p}\t{y[i]}\n")
    (d / "photos.txt").write_text(Path(photos_list).read_text())

    def tar(name, extension, data, per_tar=2000):
        (d / name).mkdir()
        for at in range(0, len(y), per_tar):
            with tarfile.open(d / name / f"{at:06d}.tar", "w") as t:
                for i in range(at, min(at + per_tar, len(y))):
                    for ext, b in ((extension, data(i)), ("cls", str(y[i]).encode())):
                        info = tarfile.TarInfo(f"{i:06d}.{ext}")
                        info.size = len(b)
                        t.addfile(info, io.BytesIO(b))

    tar("tar-raw", "bin", lambda i: x[i].tobytes())
    tar("tar-jpeg", "jpg", lambda i: jpegs[i])
    with MDSWriter(out=str(d / "mds"), columns={"x": "bytes", "y": "int"}) as w:
        for a, label in zip(x, y):
            w.write({"x": a.tobytes(), "y": int(label)})

    try:
        from ffcv.fields import IntField, NDArrayField, RGBImageField
        from ffcv.writer import DatasetWriter
    except ImportError:
        print("FFCV is not installed", file=sys.stderr)
        return

    class Samples:
        def __init__(self, data):
            self.data = data

        def __len__(self):
            return len(y)

        def __getitem__(self, i):
            return self.data(i), int(y[i])

    formats = {
        "rgb": (RGBImageField(write_mode="raw"), lambda i: np.ascontiguousarray(x[i].transpose(1, 2, 0))),
        "array": (NDArrayField(np.dtype("uint8"), SHAPE), lambda i: x[i]),
    }
    for name, (field, data) in formats.items():
        DatasetWriter(str(d / f"{name}.beton"), {"image": field, "label": IntField()}, num_workers=1).from_indexed_dataset(Samples(data))


def check(batch):
    """The batch is what was asked for."""
    x = batch.numpy() if not isinstance(batch, np.ndarray) else batch
    assert x.dtype == np.float32 and x.shape[1:] == SHAPE, (x.dtype, x.shape)
    assert -1 <= x.min() < -0.9 and 0.9 < x.max() <= 1.001, (x.min(), x.max())


def main():
    global torch
    if sys.argv[1] == "prepare":
        prepare(*map(Path, sys.argv[2:]))
        return
    name, d, seconds, warm, n = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    import torch as t

    torch = t
    torch.set_num_threads(n)
    batches = PEERS[name](d, n)
    check(next(batches))
    began = time.perf_counter()
    while time.perf_counter() - began < warm:
        next(batches)
    samples, start, cpu = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - start) < seconds:
        samples += len(next(batches))
    print(samples, elapsed, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main()
