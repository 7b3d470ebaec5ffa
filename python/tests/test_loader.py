import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, binary

from vf2shards import Dataset, Loader, ShardSampler


def make(sets, framework, workers=0, seed=1, transform=None, draws=False, **options):
    ds = Dataset(sets / "raw", transform=transform)
    sampler = ShardSampler(ds, 8, seed=seed, rank=0, world_size=1, draws=draws)
    return Loader(ds, sampler, framework=framework, workers=workers, **options)


def flat(loader, epochs):
    """(epoch, step, image, label) of what is left until epochs are done."""
    out = []
    for epoch in range(loader.epoch, epochs):
        for image, label in loader:
            out.append((loader.epoch, loader.step, np.asarray(image).copy(), np.asarray(label).copy()))
    return out


def same(a, b):
    assert [x[:2] for x in a] == [x[:2] for x in b]
    for x, y in zip(a, b):
        np.testing.assert_array_equal(x[2], y[2])
        np.testing.assert_array_equal(x[3], y[3])


def frameworks():
    try:
        import torch  # noqa: F401

        return ["numpy", "torch"]
    except ImportError:
        return ["numpy"]


@pytest.mark.parametrize("framework", frameworks())
def test_resume(sets, framework):
    whole = flat(make(sets, framework), 2)
    assert len(whole) == 26 and whole[0][2].shape == (8, 3, 112, 96) and whole[0][3].dtype == np.int64
    for stop in (1, 5, 12, 13, 14, 25, 26):
        first, done = make(sets, framework), 0
        while done < stop:
            for _ in first:
                done += 1
                if done == stop:
                    break
        state = json.loads(json.dumps(first.state_dict()))
        second = make(sets, framework)
        second.load_state_dict(state)
        same(flat(second, 2), whole[stop:])
        same(flat(first, 2), whole[stop:])  # and the same loader goes on as well


def test_dicts(sets):
    for framework in frameworks():
        ds = Dataset(sets / "raw", as_dict=True)
        batch = next(iter(Loader(ds, ShardSampler(ds, 4, rank=0, world_size=1), framework=framework)))
        assert batch["landmarks"].shape == (4, 5, 2) and len(batch["key"]) == 4
        assert str(batch["age"].dtype).endswith("float32") and str(batch["label"].dtype).endswith("int64")


def test_numpy_has_no_workers(sets):
    with pytest.raises(ValueError, match="want torch"):
        make(sets, "numpy", workers=2)


def noise(image, rng):
    return image // 2 + rng.integers(0, 100, image.shape, np.uint8)


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("persistent", [False, True])
def test_any_number_of_workers(sets, context, persistent):
    torch = pytest.importorskip("torch")
    if context not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context}")
    want = flat(make(sets, "torch", transform=noise, draws=True), 2)
    counts = (1, 3) if context == "fork" else (1,)
    for workers in counts:
        options = {"multiprocessing_context": context, "persistent_workers": persistent}
        loader = make(sets, "torch", workers, transform=noise, draws=True, **options)
        same(flat(loader, 2), want)
    # Workers run ahead; the state is the training's all the same.
    loader = make(sets, "torch", counts[-1], transform=noise, draws=True, multiprocessing_context=context)
    for k, _ in enumerate(loader):
        if k == 4:
            break
    assert loader.state_dict()["step"] == 5
    resumed = make(sets, "torch", transform=noise, draws=True)
    resumed.load_state_dict(loader.state_dict())
    same(flat(resumed, 2), want[5:])


def test_damage_comes_out_of_a_worker(sets, tmp_path):
    pytest.importorskip("torch")
    import shutil

    from vf2shards import CorruptError

    shutil.copytree(sets / "raw", tmp_path / "raw")
    file = tmp_path / "raw" / "train-00003-of-00004.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    ds = Dataset(tmp_path / "raw")
    loader = Loader(ds, ShardSampler(ds, 8, ends="pad"), workers=2)
    with pytest.raises(CorruptError, match="train-00003-of-00004.safetensors: sample 26: CRC"):
        flat(loader, 1)


def torchrun(out, *args, processes=2, port=29511, workers=1, check=True):
    """The example under torch.distributed.run, on gloo."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}", f"--master_port={port}"]
    command += ["--redirects=1", "--tee=1", "--log_dir", str(out) + ".log"]  # PyTorch 1.13's defaults fail on Python 3.11
    command += [str(ROOT / "python" / "examples" / "train_ddp.py"), "--out", str(out), "--workers", str(workers), *args]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "python" / "src"), env.get("PYTHONPATH", "")])
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0 or not check, done.stderr[-3000:]
    return done


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_example_resumes_to_the_same_losses(sets, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    pytest.importorskip("safetensors")
    port = 20000 + int(time.time()) % 20000
    common = ["--shards", str(sets / "raw"), "--arch", "shufflenet_v2_x0_5", "--batch", "6", "--epochs", "2", "--log-every", "1"]
    torchrun(tmp_path / "whole", *common, port=port)
    torchrun(tmp_path / "halves", *common, "--stop-after", "5", port=port + 1, workers=0)
    torchrun(tmp_path / "halves", *common, port=port + 2)
    whole, halves = lines(tmp_path / "whole"), lines(tmp_path / "halves")
    assert [x["step"] for x in whole if x["kind"] == "train"] == list(range(1, 19))
    assert whole == halves
    a, b = ((tmp_path / x / "last.safetensors").read_bytes() for x in ("whole", "halves"))
    assert a == b


def test_example_with_our_weights_and_other_ranks(sets, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    pytest.importorskip("safetensors")
    port = 20000 + int(time.time()) % 20000
    train = [binary(), "train", "--shards", sets / "raw", "--arch", "resnet18", "--batch", "4", "--max-steps", "1"]
    subprocess.run([*train, "--out", tmp_path / "ours", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    weights = tmp_path / "ours" / "best.safetensors"
    common = ["--shards", str(sets / "raw"), "--arch", "resnet18", "--init", str(weights), "--log-every", "1"]
    done = torchrun(tmp_path / "run", *common, "--batch", "6", "--stop-after", "2", port=port)
    assert "best.safetensors: 102 tensors taken, fresh: none" in done.stdout
    torchrun(tmp_path / "run", *common, "--batch", "12", "--stop-after", "3", port=port + 1, processes=1)
    assert [x["step"] for x in lines(tmp_path / "run")] == [1, 2, 3]
    for other, message in ((("--batch", "7"), "global_batch: 12 there, 7 here"), (("--batch", "12", "--lr", "1"), "lr: 0.1 there, 1.0 wanted")):
        done = torchrun(tmp_path / "run", *common, *other, port=port + 2, processes=1, check=False)
        assert done.returncode == 1 and message in done.stdout + done.stderr
