import numpy as np
import pytest

from vf2shards import Dataset, Draw, ShardSampler


def ranks(n, batch, world, epoch=0, step=0, **options):
    """The batches of every rank."""
    out = []
    for r in range(world):
        s = ShardSampler(n, batch, seed=7, rank=r, world_size=world, **options)
        s.set_epoch(epoch, step)
        out.append(list(s))
        assert len(out[-1]) == len(s) == s.steps - step
    return out


ORDERS = [{"order": "shuffled"}, {"order": "sequential"}, {"order": "chunks", "chunk": 4, "window": 12}]


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o["order"])
def test_who_sees_what(order):
    rng = np.random.default_rng(1)
    cases = [tuple(rng.integers((1, 1, 1), (200, 9, 7)).tolist()) for _ in range(150)]
    for n, batch, world in cases:
        for ends in ("drop", "pad", "keep"):
            if n < {"drop": batch * world, "pad": world, "keep": 0}[ends]:
                with pytest.raises(ValueError, match="samples for"):
                    ShardSampler(n, batch, rank=0, world_size=world, ends=ends, **order)
                continue
            got = ranks(n, batch, world, epoch=3, ends=ends, **order)
            seen = [{i for b in r for i in b} for r in got]
            case = (n, batch, world, ends)
            for a in range(world):
                for b in range(a):
                    assert not seen[a] & seen[b], case
            every = sorted(i for r in got for b in r for i in b)
            if ends == "drop":
                assert len(set(every)) == len(every) == n // (batch * world) * batch * world, case
            if ends == "keep":
                assert every == list(range(n)), case
                assert max(map(len, got)) - min(map(len, got)) <= 1, case
            if ends == "pad":
                assert set(every) == set(range(n)), case
            if ends != "keep":
                assert len({len(r) for r in got}) == 1, case
                assert {len(b) for r in got for b in r} <= {batch}, case


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o["order"])
def test_resume_at_any_step(order):
    for ends in ("drop", "pad", "keep"):
        whole = ranks(100, 3, 4, epoch=2, ends=ends, **order)
        for step in range(len(whole[0]) + 1):
            for r in range(4):
                a = ShardSampler(100, 3, seed=7, rank=r, world_size=4, ends=ends, **order)
                a.set_epoch(2)
                b = ShardSampler(100, 3, seed=7, rank=r, world_size=4, ends=ends, **order)
                if step <= b.steps:
                    b.load_state_dict(a.state_dict(step))
                    assert list(b) == whole[r][step:]


def test_global_batches_do_not_depend_on_ranks():
    def union(world, batch, **options):
        return [sorted(sum(bs, [])) for bs in zip(*ranks(1000, batch, world, epoch=1, **options))]

    one = union(1, 24)
    assert one == union(2, 12) == union(4, 6) == union(24, 1)
    s = ShardSampler(1000, 24, seed=7, rank=0, world_size=1)
    t = ShardSampler(1000, 6, seed=7, rank=3, world_size=4)
    t.load_state_dict(s.state_dict(5))
    assert (t.epoch, t.step) == (0, 5)


def test_order_is_pinned():
    """The same with every version of NumPy and on every machine: runs must go on after an update."""
    s = ShardSampler(10, 1, seed=1)
    assert s.epoch_order(0).tolist() == [2, 0, 1, 4, 5, 6, 7, 8, 3, 9]
    assert s.epoch_order(1).tolist() == [7, 1, 6, 9, 3, 5, 0, 8, 2, 4]
    c = ShardSampler(10, 1, seed=1, order="chunks", chunk=2, window=4)
    assert c.epoch_order(0).tolist() == [8, 6, 7, 9, 5, 3, 4, 2, 0, 1]


def test_orders_differ_and_cover():
    for o in ORDERS:
        s = ShardSampler(500, 10, seed=3, **o)
        a, b = s.epoch_order(0), s.epoch_order(1)
        assert sorted(a) == sorted(b) == list(range(500))
        assert (a == b).all() == (o["order"] == "sequential")
        assert (ShardSampler(500, 10, seed=4, **o).epoch_order(0) == a).all() == (o["order"] == "sequential")
    # Each place takes each sample equally often: 2000 epochs, 10 by 10, chi-square with 81 degrees of freedom.
    s = ShardSampler(10, 1, seed=5)
    count = np.zeros((10, 10))
    for e in range(2000):
        count[np.arange(10), s.epoch_order(e)] += 1
    assert ((count - 200) ** 2 / 200).sum() < 150


def test_chunks_stay_within_shards_and_windows(sets):
    ds = Dataset(sets / "raw")
    s = ShardSampler(ds, 4, seed=1, order="chunks", chunk=10, window=30)
    order = s.epoch_order(0)
    assert sorted(order) == list(range(108))
    # A shard of 27 is chunks of 10, 10 and 7; three chunks are a window.
    runs = [set(range(at, min(at + 10, 27 * (k + 1)))) for k in range(4) for at in range(27 * k, 27 * (k + 1), 10)]
    chunk_of = {i: k for k, r in enumerate(runs) for i in r}
    left, windows = order.tolist(), 0
    while left:
        window: set = set()
        for i in left:  # until three chunks are whole
            window.add(chunk_of[i])
            if len(window) == 3:
                break
        size = sum(len(runs[k]) for k in window)
        assert set(left[:size]) == set().union(*(runs[k] for k in window))
        left, windows = left[size:], windows + 1
    assert windows == 4
    usual = ShardSampler(ds, 4, order="chunks")
    assert usual.chunk == (2 << 20) // (3 * 112 * 96) and usual.window == (256 << 20) // (3 * 112 * 96)
    with pytest.raises(ValueError, match="wants a Dataset"):
        ShardSampler(100, 4, order="chunks")


def test_numbers():
    some = np.arange(0, 100, 3)
    s = ShardSampler(some, 5, seed=1, rank=0, world_size=1, ends="keep")
    assert sorted(i for b in s for i in b) == some.tolist()
    t = ShardSampler(some + 1, 5, seed=1, rank=0, world_size=1, ends="keep")
    with pytest.raises(ValueError, match="numbers"):
        t.load_state_dict(s.state_dict())


def test_draws():
    s = ShardSampler(20, 5, seed=9, draws=True)
    s.set_epoch(4)
    batches = list(s)
    assert batches[0][0] == Draw(int(s.epoch_order(4)[0]), 9, 4)


def test_torchruns_environment(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    s = ShardSampler(30, 5)
    assert (s.rank, s.world_size, s.steps) == (2, 3, 2)
    assert (ShardSampler(30, 5, rank=0, world_size=1).steps) == 6
    with pytest.raises(ValueError, match="both or neither"):
        ShardSampler(30, 5, rank=1)
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(ValueError, match="rank 3"):
        ShardSampler(30, 5)


def test_another_order_is_refused(sets):
    ds = Dataset(sets / "raw")
    state = ShardSampler(ds, 4, seed=1).state_dict(3)
    for other, name in (
        (ShardSampler(ds, 4, seed=2), "seed"),
        (ShardSampler(ds, 5, seed=1), "global_batch"),
        (ShardSampler(ds, 4, seed=1, order="chunks"), "order"),
        (ShardSampler(ds, 4, seed=1, ends="pad"), "ends"),
        (ShardSampler(len(ds), 4, seed=1), "set"),
        (ShardSampler(Dataset(sets / "bgr"), 4, seed=1), "set"),
    ):
        with pytest.raises(ValueError, match=f"another order of samples:.*{name}: "):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="an epoch has 27 steps"):
        ShardSampler(ds, 4, seed=1).set_epoch(0, 28)
