"""What `test_mesh.py` runs in processes of its own, which see other devices than the tests do: `python mesh_cases.py CASE ...` prints JSON."""
import json
import sys

import equinox as eqx
import jax
import numpy as np
import optax
from jax import random

from recurrent_lab.models import LRU, Griffin, SequenceModel, small_config, transformer_config
from recurrent_lab.tasks import digits
from recurrent_lab.training import Problem, next_token, supervised
from recurrent_lab.training.mesh import (auto_mesh, bytes_per_device, copied, fully_sharded, place, sharded_step,
                                         spread)

RNG = np.random.default_rng(7)                             # not JAX's: two processes meet before it starts
DATA = RNG.normal(size=(64, 16, 1)).astype(np.float32), RNG.integers(0, 10, 64)
WORDS = RNG.integers(0, 32, (64, 17))


def words(aux, hyper, t, *, key):
    return digits.batch(WORDS, 16, key=key)


def griffin(spreading):
    config = small_config(32, width=16, num_heads=1, window=8, blocks="RA")
    return Problem(lambda hyper, *, key: (Griffin(config, key=key), None), next_token(spreading(words)), optimizer)


def transformer(spreading):
    config = transformer_config(32, width=16, depth=2, num_heads=1, context=17)
    return Problem(lambda hyper, *, key: (Griffin(config, key=key), None), next_token(spreading(words)), optimizer)


def lru(spreading):
    def make(hyper, *, key):
        return eqx.nn.make_with_state(SequenceModel)(1, 10, 16, 2, dropout=0.0, key=key,
                                                     make_layer=lambda *, key: LRU(16, 16, key=key))
    return Problem(make, supervised(spreading(lambda key: digits.batch(DATA, 16, key=key))), optimizer)


def optimizer(hyper):
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9))


MODELS = {"Griffin": griffin, "LRU": lru, "Transformer": transformer}


def trained(model, mesh, rule, *axes, steps=10):
    "The losses of ten steps; the bytes that the first device holds of the state at the end, and those computed."
    problem = MODELS[model](lambda batch: spread(batch, mesh, *axes))
    state, step, losses = place(problem.init({}, key=random.key(0)), mesh, rule), sharded_step(problem, mesh, rule), []
    for i in range(steps):
        state, metrics = step(state, {}, key=random.key(i))
        losses.append(metrics["loss"])
    first, arrays = mesh.devices.flat[0], jax.tree.leaves(eqx.filter(state, eqx.is_array))
    held = sum(piece.data.nbytes for array in arrays for piece in array.addressable_shards if piece.device == first)
    return {"losses": [float(loss) for loss in losses], "held": held,
            "computed": bytes_per_device(state, mesh, rule)}


def ways(model):
    "Alone, and in each of the three ways on eight devices."
    return {"alone": trained(model, auto_mesh(data=1), copied),
            "data parallel": trained(model, auto_mesh(data=8), copied, "data"),
            "fully sharded": trained(model, auto_mesh(data=8), fully_sharded, "data"),
            "time sharded": trained(model, auto_mesh(time=8), fully_sharded, None, "time")}


def alone(model):
    "Three steps on one device."
    return trained(model, auto_mesh(data=1), copied, steps=3)


def processes(address, number):
    "Three steps of the LRU, fully sharded over the devices of two processes."
    jax.distributed.initialize(address, num_processes=2, process_id=int(number))
    return trained("LRU", auto_mesh(data=len(jax.devices())), fully_sharded, "data", steps=3)


if __name__ == "__main__":
    case, *given = sys.argv[1:]
    print(json.dumps({"ways": ways, "alone": alone, "processes": processes}[case](*given)))
