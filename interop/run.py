#!/usr/bin/env python3
"""Opens what vf2prep writes with the programs that it is written for, and compares every sample.

    interop/run.py [--only REGEX] [--keep]

interop/README.md says how to add a check. Exit code 1 where one failed, or a format of vf2prep export has none.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = HERE / ".work"
# The distribution's own, because PyTorch may come from there.
PYTHON = os.environ.get("PYTHON") or ("/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable)
TIMEOUT = 1800  # seconds that a check may take

# Checks that read the shard set itself, or make exports of it themselves; all others are of an export.
OF_THE_SET = ("safetensors", "vf2shards", "torchvision", "croissant")
# Checks for which one set is enough, because they train.
ONE_SET = ("torchvision",)
# Tests in Go that start a Python: name, package, tests, the variable that names the Python.
GO_TESTS = (
    ("onnx", "./nn", "^TestOtherRuntimesAgree$", "VF2PREP_ONNX_PYTHON"),
    ("tensorboard", "./train", "^TestTensorBoardReadsTheEvents$", "VF2PREP_TENSORBOARD_PYTHON"),
)


class Failed(Exception):
    """A check did not come to its end; the text says why."""


def run(*command, cwd=ROOT, env=None, timeout=TIMEOUT):
    """Standard output and error of a command that must succeed."""
    try:
        done = subprocess.run(
            [str(c) for c in command], cwd=cwd, env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"$ {' '.join(map(str, command))}: not done after {timeout} s") from None
    if done.returncode:
        raise Failed(f"$ {' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def environment(name):
    """The Python of requirements-NAME.txt: a virtual environment that is kept as long as that file is the same."""
    file, venv = HERE / f"requirements-{name}.txt", HERE / f".venv-{name}"
    if not file.exists():
        raise Failed(f"interop/{file.name} is missing: it lists the packages that check_{name}.py needs")
    text = file.read_text()
    for line in re.findall(r"^# apt: (.*)$", text, re.M):
        missing = [p for p in line.split() if not installed(p)]
        if missing:
            raise Failed(f"packages of the system are missing: apt-get install {' '.join(missing)}")
    python, stamp, want = venv / "bin" / "python", venv / file.name, f"# {PYTHON}\n{text}"
    if not (python.exists() and stamp.exists() and stamp.read_text() == want):
        shutil.rmtree(venv, ignore_errors=True)
        site = ["--system-site-packages"] if re.search(r"^# system-site-packages$", text, re.M) else []
        run(PYTHON, "-m", "venv", *site, venv)
        if re.search(r"^[^#\s]", text, re.M):
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", file.name, cwd=HERE)
        stamp.write_text(want)
    return python


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return "ok installed" in done.stdout


def binary():
    """The binary: VF2PREP, or one that is built now."""
    if os.environ.get("VF2PREP"):
        return pathlib.Path(os.environ["VF2PREP"]).resolve()
    run(os.environ.get("GO", "go"), "build", "-trimpath", "-o", "bin/vf2prep", "./cmd/vf2prep", env={"CGO_ENABLED": "0"})
    return ROOT / "bin" / "vf2prep"


def shard_sets(vf2prep):
    """Shard sets by name: of drawn faces, raw, as JPEGs and with blue first; of real ones where there are some."""
    sets = {}
    run(vf2prep, "synth", "--out", WORK / "faces", "--identities", "12", "--test-identities", "3", "--images", "16", "--quiet")
    trees = {"synth": (WORK / "faces", "4")}
    real = pathlib.Path(os.environ.get("VF2PREP_DATA") or ROOT / ".." / "shared" / "data").resolve() / "vf2real"
    if (real / "train").is_dir():
        trees["real"] = (real, "20")
    else:
        print(f"real faces: skipped, there is no {real}: VF2PREP_DATA names the directory of vf2real", flush=True)
    for tree, (root, val) in trees.items():
        manifest, split = WORK / f"{tree}.parquet", WORK / f"{tree}-split"
        run(vf2prep, "manifest", "build", "--root", root, "--out", manifest, "--quiet")
        run(vf2prep, "split", "make", "--manifest", manifest, "--val", val, "--out", split, "--quiet")
        kinds = {"raw": ["--recipe", "arcface-112"], "jpeg": ["--recipe", "arcface-112", "--encoding", "jpeg"]}
        if tree == "synth":
            # Rows and columns differ, so that nobody takes one for the other.
            kinds["bgr"] = ["--recipe", "seed-190x170"]
        for kind, options in kinds.items():
            out = WORK / f"{tree}-{kind}"
            size = "1" if tree == "synth" else "16"
            run(vf2prep, "cache", "build", "--manifest", manifest, "--split", split, "--root", root,
                "--shard-size", size, *options, "--out", out, "--quiet")
            sets[f"{tree}/{kind}"] = out
    return sets


def formats(vf2prep):
    """The formats that vf2prep export knows, as its help lists them."""
    try:
        text = run(vf2prep, "export", "--help")
    except Failed:
        return []
    found = re.search(r"--to \S+ +the format: ([a-z0-9, -]+)", text)
    if not found:
        raise Failed("vf2prep export --help has no list of formats beside --to")
    return [f.strip() for f in found[1].split(",")]


def check_set(name, vf2prep, set_name, shards):
    """Exports a set, unless the check reads the set itself, and runs the check. Returns its last line."""
    python, script = environment(name), HERE / f"check_{name}.py"
    env = {"VF2PREP": str(vf2prep), "VF2PREP_WORK": str(WORK)}
    out = shards
    if name not in OF_THE_SET:
        out = WORK / "exports" / name / set_name.replace("/", "-")
        out.parent.mkdir(parents=True, exist_ok=True)
        more = []
        if "--flags" in script.read_text():  # which prints what export needs besides, a word a line
            more = run(python, script, "--flags", shards, cwd=WORK, env=env).split("\n")[:-1]
        run(vf2prep, "export", "--to", name, "--shards", shards, "--out", out, "--quiet", *more)
    lines = run(python, script, out, shards, cwd=WORK, env=env).strip().split("\n")
    if out != shards:
        shutil.rmtree(out)  # real sets are large
    return lines[-1]


def check_go(name, package, tests, variable):
    """Runs tests in Go that compare with a Python; one that is skipped has compared nothing."""
    text = run(os.environ.get("GO", "go"), "test", "-count=1", "-v", "-run", tests, package,
               env={variable: str(environment(name)), "CGO_ENABLED": "0"})
    if "--- SKIP" in text or "--- PASS" not in text:
        raise Failed(f"nothing was compared:\n{text[-2000:]}")
    return ", ".join(re.findall(r"^--- PASS: (\S+)", text, re.M))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--only", default="", metavar="REGEX", help="only checks whose name matches, such as webdataset or 'vf2shards synth/raw'")
    p.add_argument("--keep", action="store_true", help="keep the shard sets in interop/.work")
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    count = failed = 0

    def check(name, f, *more):
        nonlocal count, failed
        if not re.search(args.only, name):
            return
        start = time.monotonic()
        try:
            verdict, text = "ok", f(*more)
        except Failed as e:
            verdict, text = "FAILED", str(e)
            failed += 1
        count += 1
        print(f"{verdict:6} {name:30} {time.monotonic() - start:6.1f} s  {text}", flush=True)

    try:
        vf2prep = binary()
        sets = shard_sets(vf2prep)
        known = formats(vf2prep)
    except Failed as e:
        sys.exit(f"interop: {e}")
    checks = sorted(f.stem[len("check_"):] for f in HERE.glob("check_*.py"))

    def lacking(text):
        raise Failed(text)

    for name in known:
        if name not in checks:
            check(name, lacking, f"vf2prep export --to {name} has no interop/check_{name}.py")
    for name in checks:
        if name not in known and name not in OF_THE_SET:
            check(name, lacking, "vf2prep export knows no such format")
            continue
        for set_name, shards in sets.items():
            if name in ONE_SET and set_name != "synth/raw":
                continue
            check(f"{name} {set_name}", check_set, name, vf2prep, set_name, shards)
    for name, *more in GO_TESTS:
        check(name, check_go, name, *more)
    if not args.keep:
        shutil.rmtree(WORK)
    print(f"interop: {count} checks, {failed} failed")
    sys.exit(1 if failed or not count else 0)


if __name__ == "__main__":
    main()
