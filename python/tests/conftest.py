"""Shard sets that the binary makes of drawn faces: VF2PREP, by default bin/vf2prep of this repository."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    path = pathlib.Path(os.environ.get("VF2PREP", ROOT / "bin" / "vf2prep")).resolve()
    assert path.is_file(), f"{path} is missing: run make build, or let VF2PREP name it"
    return str(path)


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """A directory with shard sets of the same 192 samples of 3x112x96: raw, jpeg, bgr and bgr-jpeg."""
    top = tmp_path_factory.mktemp("sets")

    def run(*args):
        subprocess.run([binary(), *args, "--quiet"], cwd=top, check=True, stdout=subprocess.DEVNULL)

    run("synth", "--out", "faces", "--identities", "12", "--test-identities", "3", "--images", "16")
    run("manifest", "build", "--root", "faces", "--out", "m.parquet")
    run("split", "make", "--manifest", "m.parquet", "--val", "4", "--out", "split")
    build = ["cache", "build", "--manifest", "m.parquet", "--split", "split", "--root", "faces", "--size", "112x96"]
    for name, *more in (
        ("raw", "--recipe", "arcface-112", "--shard-size", "1"),  # which makes four shards of train
        ("jpeg", "--recipe", "arcface-112", "--encoding", "jpeg", "--quality", "95"),
        ("bgr", "--recipe", "seed-190x170"),
        ("bgr-jpeg", "--recipe", "seed-190x170", "--encoding", "jpeg", "--quality", "95"),
    ):
        run(*build, *more, "--out", name)
    return top
