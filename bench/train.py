"""Training steps - forward, backward, update - of vf2prep and of PyTorch and Keras. Run by
make bench-train; README.md says how to read it."""

import datetime
import json
import os
import re
import statistics
from collections import namedtuple
from pathlib import Path

import harness as h

CONFIGS = re.compile(os.environ.get("CONFIGS") or "")  # configurations, by their titles
PEER = h.BENCH / "peers" / "trainpeer.py"
NEWTORCH = h.BENCH / ".venv-newtorch" / "bin" / "python"
KERAS = h.BENCH / ".venv-tf" / "bin" / "python"
DEBIAN = Path("/usr/bin/python3")
KEPT = h.BENCH / "results" / "train.json"  # what was measured, by title: a run replaces its own configurations
OURS, AVX2, REPLICAS = "vf2prep", "vf2prep, AVX2", "vf2prep, replicas"
CLASSES = 8631

# wanted: the least ratio to the fastest tuned PyTorch.
Config = namedtuple("Config", "arch height width batch optimizer wanted")
SEED = [Config("seed-resnet", 190, 170, b, o, 1.3) for b in (4, 16) for o in ("sgd", "adadelta")]
LARGE = [Config(a, s, s, 16, "momentum", 1.0) for a in ("resnet50", "senet50") for s in (112, 224)]
ALL = [*SEED, Config("resnet18", 112, 112, 16, "sgd", None), *LARGE, Config("vgg16", 112, 112, 8, "sgd", 1.0)]

# What a step frees is given back to the system and faulted in again, unless malloc is told not to.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(100 << 30), "MALLOC_TOP_PAD_": str(256 << 20)}


def title(c, cores):
    where = "one core" if len(cores) == 1 else f"{len(cores)} cores"
    return f"{c.arch} {c.height}x{c.width}, batch {c.batch}, {c.optimizer}, {where}"


def version(python, module):
    """The version of a module, "2.15"; None where it is not installed."""
    if not python.exists():
        return None
    code = f"try:\n import {module}\n print('.'.join({module}.__version__.split('.')[:2]))\nexcept Exception: pass"
    return h.out(python, "-c", code, env={"TF_CPP_MIN_LOG_LEVEL": "3"}).strip() or None


def peers(cache):
    """Contestants other than vf2prep, name -> command and environment; the names of the tuned ones."""
    found, tuned = {}, []
    new, debian, keras = version(NEWTORCH, "torch"), version(DEBIAN, "torch"), version(KERAS, "keras")
    if not (new or debian):
        h.fail("there is no PyTorch: run make bench-setup")
    for v, python, name in (new, NEWTORCH, f"PyTorch {new}"), (debian, DEBIAN, f"PyTorch {debian} (Debian)"):
        if not v:
            continue
        if v == new:
            found[name] = [python, PEER, "default"], {}
        found[name + ", tuned"] = [python, PEER, "tuned"], MALLOC
        tuned.append(name + ", tuned")
    if new:
        name = f"PyTorch {new}, tuned and compiled"
        found[name] = [NEWTORCH, PEER, "compiled"], {**MALLOC, "TORCHINDUCTOR_CACHE_DIR": str(cache)}
        tuned.append(name)
    if keras:
        found[f"Keras {keras}"] = [KERAS, PEER, "keras"], {}
    return found, tuned


def turn(argv, env, c, cores, memory, more):
    """One process: the Result in samples, and its memory before there was a network and at its peak."""
    env = {**env, **{k: str(len(cores)) for k in h.ONE_THREAD}}
    argv = [*argv, c.arch, c.height, c.width, CLASSES, c.batch, c.optimizer, h.SECONDS, *more]
    text, _, _ = h.measure(h.pinned(cores, argv), env)
    ms, cpu, start, peak = map(float, text.split())
    memory.append((start, peak))
    return h.Result(c.batch * 1e3 / ms, c.batch * 1e3 / cpu)


def runs_it(name, c, cores):
    """Whether a peer takes part: Keras with the network that was written for it, compiling where it counts."""
    if name.startswith("Keras"):
        return c.arch == "seed-resnet"
    return len(cores) == 1 or "compiled" not in name


def race(c, cores, theirs):
    """name -> Results, and name -> MiB at the start and at the peak."""
    contestants = {OURS: ([h.GOPEER, "train"], {})}
    if "avx512f" in h.flags() and len(cores) == 1:
        contestants[AVX2] = [h.GOPEER, "train"], {"VF2PREP_CPU": "avx2"}
    if len(cores) > 1 and c.batch % len(cores) == 0:
        contestants[REPLICAS] = [h.GOPEER, "train"], {}
    contestants |= {n: t for n, t in theirs.items() if runs_it(n, c, cores)}
    memory = {n: [] for n in contestants if h.ONLY.search(n)}
    runs = {}
    for n in memory:
        argv, env = contestants[n]
        more = [len(cores)] if n == REPLICAS else []
        runs[n] = lambda n=n, argv=argv, env=env, more=more: turn(argv, env, c, cores, memory[n], more)
    h.say(title(c, cores))
    results = h.rounds(runs)
    return results, {n: [statistics.median(v) for v in zip(*m)] for n, m in memory.items()}


def fastest(results, names):
    return max((n for n in names if n in results), key=lambda n: h.median(results[n]).rate, default=None)


def table(c, results, memory, tuned):
    best = fastest(results, tuned)
    rows = []
    for n in results:
        m = h.median(results[n])
        ratio = h.times(h.ratio(results, n, best))[0]
        rows.append([n, f"{c.batch * 1e3 / m.rate:,.1f}", f"{c.batch * 1e3 / m.cpu:,.1f}", f"{h.spread(results[n]):.0%}", ratio,
                     *(f"{v:,.0f}" for v in memory[n][::-1])])
    return h.table(["contestant", "ms/step", "CPU ms/step", "spread", "speed, tuned PyTorch = 1", "peak MiB", "of it at the start"], rows)


def targets(runs):
    speed, memories, levels = [], [], []
    for c, what, results, memory, tuned in runs:
        best = fastest(results, tuned)
        if c.wanted:
            speed.append(h.target(f"speed against {best}: {what}", h.ratio(results, OURS, best), c.wanted, unit="x"))
        least = min((n for n in memory if n.startswith("PyTorch")), key=lambda n: memory[n][1], default=None)
        share = memory[OURS][1] / memory[least][1] if least and OURS in memory else None
        memories.append(h.target(f"memory against {least}: {what}", share, 1, most=True, unit="x"))
        if AVX2 in results:
            levels.append(h.target(f"AVX2 against AVX-512: {what}", h.ratio(results, AVX2, OURS), 0.5, unit="x"))
    return h.table(h.TARGETS, speed + memories + levels)


def kept():
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def measured(old):
    """Every configuration that was measured, in the order of ALL: its title, results, memory and tuned peers."""
    for cores in dict.fromkeys([(h.CORES[-1],), tuple(h.CORES)]):
        for c in ALL:
            what = title(c, cores)
            if what in old:
                results = {n: [h.Result(*r) for r in v] for n, v in old[what]["results"].items()}
                yield c, what, results, old[what]["memory"], old[what]["tuned"]


def ran():
    """Under which command, of which commit, and when."""
    return f"{h.command('bench-train')}, {h.commit()}, {datetime.date.today()}, medians of {h.ROUNDS} rounds of at least {h.SECONDS:g} s"


def main():
    h.need(h.GOPEER)
    everything = [(c, cores) for cores in dict.fromkeys([(h.CORES[-1],), tuple(h.CORES)]) for c in ALL]
    chosen = [(c, cores) for c, cores in everything if CONFIGS.search(title(c, cores))]
    if not chosen:
        h.fail(f"CONFIGS={CONFIGS.pattern} is no configuration")
    record = kept()
    with h.scratch() as s:
        theirs, tuned = peers(s / "compiled")
        for c, cores in chosen:
            results, memory = race(c, cores, theirs)
            record[title(c, cores)] = {"ran": ran(), "results": results, "memory": memory, "tuned": tuned}
            write(record)


def write(record):
    """Writes the record and the table of all that is in it."""
    versions = [h.package("python3-torch"), h.package("libopenblas0-pthread")]
    if NEWTORCH.exists():
        versions.append(h.versions(NEWTORCH, "torch"))
    if KERAS.exists():
        versions.append(h.versions(KERAS, "keras", "tensorflow-cpu"))
    runs = list(measured(record))
    text = ["# Training: milliseconds a step\n", h.machine("; ".join(versions))
            + f"- a step: forward, backward and update, {CLASSES} classes; rounds are interleaved\n",
            "## Targets\n", targets(runs)]
    for c, what, results, memory, tuned in runs:
        text += [f"## {what}\n", record[what]["ran"] + "\n", table(c, results, memory, tuned)]
    if not os.environ.get("ONLY"):
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(record, indent=1) + "\n")
    h.write("train.md", "\n".join(text))


if __name__ == "__main__":
    main()
