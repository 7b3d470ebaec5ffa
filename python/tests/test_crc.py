import numpy as np
import pytest

from vf2shards import crc


def slow(data, c=0):
    c ^= 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    return c ^ 0xFFFFFFFF


def test_check_value():
    # The check value of every catalogue of CRCs, and RFC 3720, B.4: 32 bytes of zeros, and of ones.
    assert crc.numpy_crc32c(b"123456789") == 0xE3069283
    assert crc.numpy_crc32c(bytes(32)) == 0x8A9136AA
    assert crc.numpy_crc32c(b"\xff" * 32) == 0x62A8AB43


def test_like_the_slow_one():
    data = np.random.default_rng(1).integers(0, 256, 2000, np.uint8).tobytes()
    for n in [*range(70), 255, 256, 257, 1023, 2000]:
        want = slow(data[:n])
        assert crc.numpy_crc32c(data[:n]) == want, n
        assert crc.crc32c(data[:n]) == want, (n, crc.implementation)


def test_blocks(monkeypatch):
    data = np.random.default_rng(2).integers(0, 256, 5000, np.uint8)
    want = crc.numpy_crc32c(data)
    for size in (1, 2, 3, 5, 100, 4999, 5000):
        monkeypatch.setattr(crc, "_BLOCK", size)
        assert crc.numpy_crc32c(data) == want, size


@pytest.mark.parametrize("package", ["google_crc32c", "crc32c"])
def test_packages(package):
    module = pytest.importorskip(package)
    f = getattr(module, "value", None) or module.crc32c
    data = np.random.default_rng(3).integers(0, 256, 37632, np.uint8)
    assert crc.numpy_crc32c(data) == f(data.tobytes()) == crc.crc32c(data)
    assert crc.crc32c(data[::2]) == f(data[::2].tobytes())  # not contiguous
    data.flags.writeable = False
    assert crc.crc32c(data) == f(data.tobytes())
