"""Optimizers of parameters that are spread over eight (simulated) devices: the numbers of one device, and a state that stays where the parameters are."""
import json
import os
import subprocess
import sys

import pytest
from conftest import simulated

# name: how it is made. The bases of `soap` are those of factors with full rank: eigh's choice for the others differs with the order of sums
OPTIMIZERS = {
    "soap": "ours.soap(0.03, precondition_frequency=2, one_sided=True)",
    "soap, blocks": "ours.soap(0.03, precondition_frequency=2, one_sided=True, block_size=2)",
    "soap, stack": "ours.soap(0.03, precondition_frequency=2, one_sided=True, stack=1)",
    "soap, injected": "optax.inject_hyperparams(ours.soap, static_args='max_precond_dim')(0.03, precondition_frequency=2, max_precond_dim=4)",
    "shampoo": "ours.shampoo(0.03)",
    "shampoo, grafted blocks": "ours.shampoo(0.03, b2=0.9, graft_to=optax.scale_by_adam(), graft_start=2, block_size=4)",
    "muon": "ours.muon(0.03)",
    "muon, stack": "ours.muon(0.03, select=lambda path, p: p.ndim == 3)",
    "adalayer": "ours.adalayer(0.03)",
    "adam_hat": "ours.decoupled(ours.scale_by_adam_hat(), 0.03)",
    "cautious_adamw": "ours.cautious_adamw(0.03)",
    "grams": "ours.grams(0.03)",
    "mars": "ours.mars(0.03)",
    "accelerated_sgd": "ours.accelerated_sgd(0.03)",
    "simplified_ademamix": "ours.simplified_ademamix(0.003, alpha=2.0)",
    "ademamix": "ours.ademamix(0.03)",
    "amsgrad": "ours.amsgrad(0.03)",
    "adabound": "ours.adabound(0.03)",
    "adopt": "ours.adopt(0.03)",
    "l_dog": "ours.l_dog()",
    "gravity": "ours.gravity(0.03, key=jax.random.key(0))",
    "induced_metric": "ours.induced_metric(0.03)",
    "schedule_free_adamw": "ours.schedule_free_adamw(0.03)",
    "schedule_free_sgd": "ours.schedule_free_sgd(0.03)",
    "clip_by_array_norm": "optax.chain(ours.clip_by_array_norm(0.3), optax.sgd(0.03))",
    "grades": "ours.grades(optax.adam(0.03), 30, 0.05)",
}
MESHES = "Auto", "Explicit"

PROGRAM = '''
import json, os, sys
import jax, jax.numpy as jnp, numpy as np, optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from recurrent_lab import optimizers as ours

SPECS = {"b": P("x"), "rows": P("x", None), "columns": P(None, "x"), "stack": P(None, None, "x"), "whole": P()}
SHAPES = {"b": (8,), "rows": (8, 4), "columns": (4, 8), "stack": (3, 4, 8), "whole": (4, 6)}
draw = lambda seed: {n: jax.random.normal(jax.random.fold_in(jax.random.key(seed), i), s) for i, (n, s) in enumerate(SHAPES.items())}
host, steps = jax.device_get((draw(0), [draw(i) for i in range(1, 5)]))

def follow(optimizer, place):
    optimizer = optax.with_extra_args_support(optimizer)
    params = place(host)
    state = optimizer.init(params)
    def step(params, state, g):
        updates, state = optimizer.update(g, state, params, value=jnp.float32(1.0))
        return optax.apply_updates(params, updates), state
    at = lambda x: x.sharding if isinstance(x.sharding, NamedSharding) else None
    step = jax.jit(step, out_shardings=jax.tree.map(at, (params, state)))     # of automatic axes the compiler knows no better
    for g in steps: params, state = step(params, state, place(g))
    return params, state

def check(optimizer, kind):
    alone, _ = follow(optimizer, lambda tree: jax.tree.map(jnp.asarray, tree))
    mesh = jax.make_mesh((8,), ("x",), axis_types=(getattr(AxisType, kind),))
    with jax.set_mesh(mesh):
        params, state = follow(optimizer, lambda tree: {n: jax.device_put(x, NamedSharding(mesh, SPECS[n])) for n, x in tree.items()})
    for n in SHAPES:
        assert params[n].sharding.is_equivalent_to(NamedSharding(mesh, SPECS[n]), params[n].ndim), f"{n} is at {params[n].sharding}"
        np.testing.assert_allclose(np.asarray(params[n]), np.asarray(alone[n]), rtol=0, atol=1e-4, err_msg=n)
    for path, x in jax.tree_util.tree_leaves_with_path(state):
        names = [k.key for k in path if isinstance(k, jax.tree_util.DictKey) and k.key in SHAPES]
        if names and x.shape == SHAPES[names[-1]] and x.ndim and not isinstance(path[-1], jax.tree_util.SequenceKey):
            at = NamedSharding(mesh, SPECS[names[-1]])
            assert x.sharding.is_equivalent_to(at, x.ndim), f"{jax.tree_util.keystr(path)} is at {x.sharding}, not {at}"

for name, made in json.load(sys.stdin).items():
    for kind in ("Auto", "Explicit"):
        try: check(eval(made), kind); says = ""
        except Exception as error: says = f"{type(error).__name__}: {error}"[:600]
        print(json.dumps([name, kind, says]), flush=True)
'''


@pytest.fixture(scope="module")
def eight_devices():
    "What each optimizer says of itself, by name and kind of mesh; the number of devices is fixed when jax starts."
    env = os.environ | {"XLA_FLAGS": simulated(8), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(OPTIMIZERS), env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {(name, kind): says for name, kind, says in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("kind", MESHES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_sharded_parameters_have_the_numbers_of_one_device(name, kind, eight_devices):
    assert eight_devices[name, kind] == ""
