"""A weight file is data: what is crafted in it neither runs nor takes more memory than the file is worth."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import torch_file
from gen_jax.metrics.torch_file import read_state_dict


class _Named:
    """Pickles as a global of that name, whether it can be imported or not."""

    def __init__(self, name):
        self.name = name


class _Pickler(pickle._Pickler):  # type: ignore[misc]
    """Writes what PyTorch writes: tensors as calls of its rebuilding function on references to storages."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Named):
            self.write(b"c" + obj.name.encode() + b"\n")
            return None
        if isinstance(obj, tuple) and obj and isinstance(obj[0], str) and obj[0] == "tensor":
            self.save(_Named("torch._utils\n_rebuild_tensor_v2"))
            self.write(b"(")
            self.save(obj[1])
            self.write(b"Q")  # BINPERSID
            for part in obj[2:]:
                self.save(part)
            self.write(b"tR")
            return None
        return super().save(obj, save_persistent_id)


def tensor(offset, size, stride, kind="FloatStorage", count=4, key="0"):
    storage = ("storage", _Named(f"torch\n{kind}"), key, "cpu", count)
    return ("tensor", storage, offset, size, stride, False, None)


def written(state, path, data=np.arange(4, dtype=np.float32).tobytes(), compress=zipfile.ZIP_STORED):
    content = io.BytesIO()
    _Pickler(content, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("a/data.pkl", content.getvalue())
        archive.writestr("a/data/0", data)
    return path


def test_a_sound_file_is_read(tmp_path):
    found = read_state_dict(written({"w": tensor(1, (3,), (1,)), "t": tensor(0, (2, 2), (1, 2))}, tmp_path / "a.pth"))
    np.testing.assert_array_equal(found["w"], [1, 2, 3])
    np.testing.assert_array_equal(found["t"], [[0, 2], [1, 3]])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"w": tensor(0, (10**9,), (0,))}, "more elements than its storage"),
        ({"w": tensor(0, (10**5, 10**5), (0, 0))}, "more elements than its storage"),
        ({"w": tensor(0, (4, 4), (1, 0))}, "more elements than its storage"),
        ({"w": tensor(0, (10**30,), (1,))}, "past its storage"),
        ({"w": tensor(0, (5,), (1,))}, "past its storage"),
        ({"w": tensor(-1, (2,), (1,))}, "past its storage"),
        ({"w": tensor(3, (2,), (-1,))}, "past its storage"),
        ({"w": tensor(0, (-2,), (1,))}, "size that is none"),
        ({"w": tensor(0, ("x",), (1,))}, "size that is none"),
        ({"w": tensor(0.5, (2,), (1,))}, "size that is none"),
        ({f"w{i}": tensor(0, (1 << 16,), (1,)) for i in range(9)}, "many times as large"),
        ({"w": tensor(0, (1,), (1,), kind="UntypedStorage")}, "does not belong"),
        ([tensor(0, (1,), (1,))], "no state dict"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sizes_that_the_file_does_not_hold(state, words, tmp_path):
    large = isinstance(state, dict) and len(state) > 1
    data = np.zeros(1 << 16 if large else 4, np.float32).tobytes()
    with pytest.raises(UserError, match=f"cannot read weights from .*{words}"):
        read_state_dict(written(state, tmp_path / "a.pth", data))


def test_a_tensor_without_elements_takes_none(tmp_path):
    found = read_state_dict(written({"w": tensor(0, (0, 10**12), (1, 1))}, tmp_path / "a.pth"))
    assert found["w"].size == 0


def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path):
    path = written({"w": tensor(0, (1,), (1,))}, tmp_path / "a.pth", bytes(1 << 24), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="larger than the file"):
        read_state_dict(path)


def test_a_stream_that_claims_more_than_follows(tmp_path):
    """The older format: magic, protocol, sizes, state, order of storages, then each with its count."""
    content = io.BytesIO()
    for part in (torch_file.STREAM_MAGIC, 1001, {}):
        pickle.dump(part, content, protocol=2)
    _Pickler(content, protocol=2).dump({"w": tensor(0, (2,), (1,))})
    pickle.dump(["0"], content, protocol=2)
    for count in (10**12, 2**62, 2**64 - 1):
        (tmp_path / "a.pth").write_bytes(content.getvalue() + struct.pack("<Q", count) + bytes(64))
        with pytest.raises(UserError, match="cannot read weights"):
            read_state_dict(tmp_path / "a.pth")
