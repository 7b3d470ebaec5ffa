"""What the benchmarks share: the machine's facts, turns, medians, tables. Standard library only."""

import contextlib
import datetime
import fcntl
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
VF2PREP = ROOT / "bin" / "vf2prep"
GOPEER = ROOT / "bin" / "bench-go"
TJDEC = ROOT / "bin" / "bench-tjdec"
PEERS = BENCH / ".venv" / "bin" / "python"
SIMD = BENCH / ".venv-simd" / "bin" / "python"
TORCH = BENCH / ".venv-torch" / "bin" / "python"

CORES = sorted(os.sched_getaffinity(0))
ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = float(os.environ.get("SECONDS_EACH") or 3)  # a turn takes at least this long
DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data" / "vf2real")
ONLY = re.compile(os.environ.get("ONLY") or "")  # contestants, by name
Result = namedtuple("Result", "rate cpu")  # units a second of the clock, and a second of CPU time
# One thread a process: parallel runs start a process, or name a number, for each core.
ONE_THREAD = {k + "_NUM_THREADS": "1" for k in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def fail(text):
    say("bench:", text)
    sys.exit(1)


def need(*paths):
    for p in paths:
        if not Path(p).exists():
            fail(f"{os.path.relpath(p, ROOT)} is not there: run make bench-setup")


def out(*argv, env=None):
    """The output of a command that must succeed."""
    r = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, env={**os.environ, **(env or {})}, text=True)
    if r.returncode:
        fail(f"exit code {r.returncode}: {' '.join(map(str, argv))}")
    return r.stdout


def vf2prep(*argv):
    return out(VF2PREP, *argv)


@contextlib.contextmanager
def scratch():
    """A directory that is gone afterwards: below SCRATCH, else bench/.scratch."""
    base = Path(os.environ.get("SCRATCH") or BENCH / ".scratch")
    base.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def turn():
    """Nobody else who names the same file in LOCK runs meanwhile; nothing is left to be written."""
    path = os.environ.get("LOCK")
    with open(path or os.devnull, "a") as f:
        if path:
            fcntl.flock(f, fcntl.LOCK_EX)
        os.sync()
        yield


def pinned(cores, argv):
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, argv)]


def processes(argvs, cores, env=None):
    """Runs the i-th command on the i-th core; returns their Result together, and the units done.

    Each prints "ready" when it has started, imported and warmed up, waits for a line, works, and
    prints "done N CPU", CPU being the seconds of CPU time it took. The clock runs from that line to
    the last "done".
    """
    env = {**os.environ, **ONE_THREAD, **(env or {})}
    with turn():
        ps = [subprocess.Popen(pinned([c], a), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
              for a, c in zip(argvs, cores, strict=True)]
        try:
            for p in ps:
                if p.stdout.readline() != "ready\n":
                    fail(f"did not start: {' '.join(p.args)}")
            start = time.perf_counter()
            for p in ps:
                p.stdin.write("go\n")
                p.stdin.flush()
            n, cpu = 0, 0.0
            for p in ps:
                words = p.stdout.readline().split()
                if words[:1] != ["done"]:
                    fail(f"did not finish: {' '.join(p.args)}")
                n += int(words[1])
                cpu += float(words[2])
            return Result(n / (time.perf_counter() - start), n / cpu), n
        finally:
            for p in ps:
                p.stdin.close()
                p.wait()


def measure(argv, env=None):
    """What a command prints, its peak resident memory in MiB and its seconds of CPU time."""
    with turn(), tempfile.TemporaryFile("w+") as f:
        p = subprocess.Popen([str(a) for a in argv], stdout=f, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        if status:
            fail(f"exit code {p.returncode}: {' '.join(map(str, argv))}")
        f.seek(0)
        return f.read(), usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def rounds(contestants, n=None):
    """Runs every contestant once a round, one after another; returns name -> list of results.

    contestants maps a name to a function. Slow drift of the machine so meets all alike.
    """
    results = {name: [] for name in contestants}
    for i in range(ROUNDS if n is None else n):
        for name, run in contestants.items():
            r = run()
            results[name].append(r)
            say(f"round {i + 1} {name:54s} {r.rate:10.1f} {r.cpu:10.1f}")
    return results


def median(results):
    """The Result of medians."""
    return Result(statistics.median(r.rate for r in results), statistics.median(r.cpu for r in results))


def spread(results):
    """How far apart the slowest and the fastest are, as a share of the median."""
    rates = [r.rate for r in results]
    return (max(rates) - min(rates)) / statistics.median(rates)


def ratio(results, a, b):
    """How many times as fast a is as b, a Result; None where one was not measured."""
    if a not in results or b not in results:
        return None
    a, b = median(results[a]), median(results[b])
    return Result(a.rate / b.rate, a.cpu / b.cpu)


def times(r):
    return ["-", "-"] if r is None else [f"{r.rate:.2f}x", f"{r.cpu:.2f}x"]


def table(head, rows):
    right = ["---"] + ["---:"] * (len(head) - 1)
    lines = ["| " + " | ".join(map(str, r)) + " |" for r in (head, right, *rows)]
    return "\n".join(lines) + "\n"


def target(what, got, want, digits=2, most=False, unit=""):
    """A row of the table of targets. got is a Result, or a number that has no CPU time; most: the
    target is an upper bound."""
    sign = "<=" if most else ">="
    clock, cpu = got if isinstance(got, Result) else (got, None)
    show = lambda v: "-" if v is None else f"{v:,.{digits}f}{unit}"
    outcome = "not measured"
    if clock is not None:
        met = clock <= want if most else clock >= want
        outcome = f"{'met' if met else 'NOT MET'} ({(clock - want) / want * 100:+.0f} %)"
    return [what, f"{sign} {want:,}{unit}", show(clock), outcome, show(cpu)]


TARGETS = ["target", "wanted", "measured", "outcome", "by CPU time"]


def disk(where):
    """MB/s that a file system takes, written in one piece and synced."""
    path, block = Path(where) / "disk", os.urandom(1 << 20)
    start = time.perf_counter()
    with open(path, "wb") as f:
        for _ in range(512):
            f.write(block)
        os.fsync(f.fileno())
    mb = 512 * 1.048576 / (time.perf_counter() - start)
    path.unlink()
    return mb


def cpu():
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def flags():
    with contextlib.suppress(OSError):
        return re.search(r"^flags\s*:(.*)$", open("/proc/cpuinfo").read(), re.M)[1].split()
    return []


def commit():
    r = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return "vf2prep " + (r.stdout.strip() or "without a commit")


def machine(versions):
    """Facts under which the numbers were taken."""
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    load = os.getloadavg()[0]
    level = "AVX-512" if "avx512f" in flags() else "AVX2" if "avx2" in flags() else "no AVX2"
    return "\n".join([
        f"- date: {datetime.date.today()}; {commit()}, {out('go', 'version').split()[2]}",
        f"- machine: {cpu()}, {len(CORES)} cores used, {level}, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        f"- system: {release}, Linux {platform.release()}, load average {load:.1f} at the end",
        f"- versions: {versions}",
    ]) + "\n"


def versions(python, *names):
    """Versions of Python distributions, and of the Debian packages that some come from."""
    code = ("import importlib.metadata as m,sys,platform\n"
            "print('Python', platform.python_version())\n"
            "for n in sys.argv[1:]:\n"
            "  try: print(n, m.version(n))\n"
            "  except m.PackageNotFoundError: print(n, 'absent')\n")
    return ", ".join(out(python, "-c", code, *names).splitlines())


def package(name):
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return f"{name} {r.stdout.strip() or 'absent'}"


def command(name):
    """The make command that was given, with the variables that matter."""
    given = [f"{k}={os.environ[k]}" for k in ("ROUNDS", "REPEAT", "SECONDS_EACH", "ONLY", "CONFIGS") if os.environ.get(k)]
    return " ".join(["make", name, *given])


def write(name, text):
    """Writes bench/results/NAME and shows it. With ONLY it is only shown: contestants are missing."""
    print(text)
    if os.environ.get("ONLY"):
        say("ONLY was given: bench/results is left as it is")
        return
    (BENCH / "results").mkdir(exist_ok=True)
    (BENCH / "results" / name).write_text(text)
    say(f"written to bench/results/{name}")
