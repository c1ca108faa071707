"""One model on eight simulated devices and on two processes: the losses of one device, and each device holds what was computed."""
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import simulated
from jax.sharding import AxisType

from recurrent_lab.training.mesh import auto_mesh, copied, place

CASES = Path(__file__).with_name("mesh_cases.py")


def started(devices, *case):
    return subprocess.Popen([sys.executable, CASES, *case], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"XLA_FLAGS": simulated(devices)})


def ended(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])                # before it, of two processes, says gloo who is there


@pytest.mark.parametrize("model", ["Griffin", "LRU", "Transformer"])
def test_eight_devices_give_the_losses_of_one_and_each_holds_its_share(model):
    made = ended(started(8, "ways", model))
    alone = made.pop("alone")
    for way, one in made.items():
        np.testing.assert_allclose(one["losses"], alone["losses"], rtol=1e-6, err_msg=way)
        assert one["held"] == one["computed"], way
    assert made["data parallel"]["held"] == alone["held"]
    assert made["fully sharded"]["held"] < alone["held"] / 5


def test_two_processes_give_the_losses_of_one_and_it_goes_on_from_what_they_kept(tmp_path):
    path = str(tmp_path / "two.orbax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    both = [started(2, "processes", address, str(number), path) for number in range(2)]
    first, second = map(ended, both)
    assert first["losses"] == second["losses"]
    alone = ended(started(1, "alone", "LRU", path))
    np.testing.assert_allclose(first["losses"] + alone["went on"], alone["losses"], rtol=1e-6)


def test_what_eight_devices_kept_goes_on_elsewhere_whenever_they_were_killed(tmp_path):
    path = tmp_path / "training.orbax"
    with started(8, "keeping", "LRU", str(path)) as eight:
        said = json.loads(eight.stdout.readline() or eight.stderr.read()[-3000:])
        time.sleep(np.random.default_rng(0).uniform(0, 0.5))
        eight.kill()
    assert said["now"] == {"steps": 5}                     # of a sixth that was stopped at three places nothing is seen
    there = ended(started(2, "elsewhere", "LRU", str(path)))
    for one in there["two"], there["one"]:
        assert one["bits"] == said["after"][str(there["steps"])]
        np.testing.assert_allclose(one["losses"], said["losses"][there["steps"]:], rtol=1e-6)


def test_a_damaged_folder_is_refused(tmp_path):
    from recurrent_lab.training.checkpoint import read, restore, save
    path, tree = tmp_path / "tree.orbax", {"weight": np.arange(6.0), "bias": np.ones(2)}
    with pytest.raises(FileNotFoundError, match="no finished checkpoint"): read(path)
    save(path, tree)
    with pytest.raises(ValueError, match=r"bias is float64\[2\] in the file, float64\[3\] here"):
        restore(tree | {"bias": np.ones(3)}, read(path))
    for file in (file for file in path.rglob("*") if file.is_file()):
        whole = file.read_bytes()
        for content in (None, b"", whole[:-1], whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 4]) + whole[len(whole) // 2 + 1:]):
            file.unlink() if content is None else file.write_bytes(content)
            with pytest.raises(ValueError, match=rf"cannot be read as a checkpoint .*{file.name}.* Nothing was overwritten") as error: read(path)
            assert "\n" not in str(error.value)
            file.write_bytes(whole)
    np.testing.assert_array_equal(restore(tree, read(path))["weight"], tree["weight"])


def test_without_orbax_it_is_said_what_to_install(tmp_path, monkeypatch):
    from recurrent_lab.training.checkpoint import save
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"needs orbax-checkpoint.*pip install 'recurrent_lab\[sharded\]'"):
        save(tmp_path / "tree.orbax", {"weight": np.ones(2)})
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused():
    explicit = jax.make_mesh((1,), ("data",), (AxisType.Explicit,), devices=jax.devices()[:1])
    with pytest.raises(ValueError, match="'data' is Explicit; allowed is Auto"):
        place(np.ones(3), explicit, copied)
    with pytest.raises(ValueError, match="takes 4000 devices; here are"):
        auto_mesh(data=4000)
