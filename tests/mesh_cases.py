"""What `test_mesh.py` runs in processes of its own, which see other devices than the tests do: `python mesh_cases.py CASE ...` prints JSON."""
import hashlib
import json
import sys

import equinox as eqx
import jax
import numpy as np
import optax
from jax import random

from recurrent_lab.models import LRU, Griffin, SequenceModel, small_config, transformer_config
from recurrent_lab.tasks import digits
from recurrent_lab.training import Problem, next_token, orbax_folder, supervised
from recurrent_lab.training.checkpoint import read, restore, save
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
    training = Training(model, mesh, rule, *axes)
    state, losses = training.until(steps, training.begun())
    first, arrays = mesh.devices.flat[0], jax.tree.leaves(eqx.filter(state, eqx.is_array))
    held = sum(piece.data.nbytes for array in arrays for piece in array.addressable_shards if piece.device == first)
    return {"losses": losses, "held": held, "computed": bytes_per_device(state, mesh, rule)}


def ways(model):
    "Alone, and in each of the three ways on eight devices."
    return {"alone": trained(model, auto_mesh(data=1), copied),
            "data parallel": trained(model, auto_mesh(data=8), copied, "data"),
            "fully sharded": trained(model, auto_mesh(data=8), fully_sharded, "data"),
            "time sharded": trained(model, auto_mesh(time=8), fully_sharded, None, "time")}


def alone(model, path):
    "Four steps on one device, and the fourth from what two processes kept."
    training = Training(model, auto_mesh(data=1), copied)
    losses = training.until(4, training.begun())[1]
    return {"losses": losses, "went on": training.until(4, restored(model, path, auto_mesh(data=1), copied))[1]}


def processes(address, number, path):
    "Three steps of the LRU, fully sharded over the devices of two processes, and kept."
    jax.distributed.initialize(address, num_processes=2, process_id=int(number))
    training = Training("LRU", auto_mesh(data=len(jax.devices())), fully_sharded, "data")
    state, losses = training.until(3, training.begun())
    save(path, state)
    return {"losses": losses}


def restored(model, path, mesh, rule):
    shapes = eqx.filter_eval_shape(MODELS[model](lambda batch: batch).init, {}, key=random.key(0))
    return restore(place(shapes, mesh, rule), read(path))


class Training:
    "A model on a mesh, compiled once: how it begins, and how it goes on."
    def __init__(self, model, mesh, rule, *axes):
        problem = MODELS[model](lambda batch: spread(batch, mesh, *axes))
        self.begun = lambda: place(eqx.filter_jit(problem.init)({}, key=random.key(0)), mesh, rule)
        self.step = sharded_step(problem, mesh, rule)

    def until(self, steps, state):
        "The state after so many steps, and the losses of those that it lacked."
        losses = []
        for i in range(int(state.t), steps):
            state, metrics = self.step(state, {}, key=random.key(i))
            losses.append(float(metrics["loss"]))
        return state, losses


def bits(state):
    "A hash of the numbers in a state, wherever they lie."
    return hashlib.sha256(b"".join(np.asarray(array).tobytes() for array in jax.tree.leaves(eqx.filter(state, eqx.is_array)))).hexdigest()


def keeping(model, path):
    """On eight devices, ten steps; the first five of them again, kept after each, and the sixth never wholly. At last it is kept
    over and over until somebody kills this process."""
    training = Training(model, auto_mesh(data=8), fully_sharded, "data")
    state = training.begun()
    whole = training.until(10, state)[1]
    for steps in range(1, 6):
        state, _ = training.until(steps, state)
        save(path, state, steps=steps)
    sixth, _ = training.until(6, state)
    for name in ("_orbax", "_crc", "_seal"): stopped_at(name, path, sixth)
    print(json.dumps({"losses": whole, "after": {5: bits(state), 6: bits(sixth)}, "now": read(path).about}), flush=True)
    while True: save(path, sixth, steps=6)


class Stopped(BaseException): pass


def stopped_at(name, path, state):
    "A save that comes as far as this function."
    def stop(*_): raise Stopped
    before = getattr(orbax_folder, name)
    setattr(orbax_folder, name, stop)
    try: save(path, state, steps=6)
    except Stopped: pass
    finally: setattr(orbax_folder, name, before)


def elsewhere(model, path):
    "What was kept, on two devices and on one: how far it was, its numbers, the losses from there to the tenth step."
    def on(mesh, rule, *axes):
        state = restored(model, path, mesh, rule)
        return {"bits": bits(state), "losses": Training(model, mesh, rule, *axes).until(10, state)[1]}
    return {"steps": read(path).about["steps"], "two": on(auto_mesh(data=2), fully_sharded, "data"), "one": on(auto_mesh(data=1), copied)}


if __name__ == "__main__":
    case, *given = sys.argv[1:]
    print(json.dumps({"ways": ways, "alone": alone, "processes": processes, "keeping": keeping, "elsewhere": elsewhere}[case](*given)))
