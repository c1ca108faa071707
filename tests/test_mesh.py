"""One model on eight simulated devices and on two processes: the losses of one device, and each device holds what was computed."""
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import QUICK_XLA
from jax.sharding import AxisType

from recurrent_lab.training.mesh import auto_mesh, copied, place

CASES = Path(__file__).with_name("mesh_cases.py")


def started(devices, *case):
    flags = f"{QUICK_XLA} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen([sys.executable, CASES, *case], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"XLA_FLAGS": flags})


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


def test_two_processes_give_the_losses_of_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    both = [started(2, "processes", address, str(number)) for number in range(2)]
    first, second = map(ended, both)
    assert first["losses"] == second["losses"]
    alone = ended(started(1, "alone", "LRU"))
    np.testing.assert_allclose(first["losses"], alone["losses"], rtol=1e-6)


def test_what_does_not_fit_is_refused():
    explicit = jax.make_mesh((1,), ("data",), (AxisType.Explicit,), devices=jax.devices()[:1])
    with pytest.raises(ValueError, match="'data' is Explicit; allowed is Auto"):
        place(np.ones(3), explicit, copied)
    with pytest.raises(ValueError, match="takes 4000 devices; here are"):
        auto_mesh(data=4000)
