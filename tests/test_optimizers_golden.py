"""The optimizers against the authors' own programs: 50 steps in float64, from the same start, to the last digits."""
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recurrent_lab import optimizers as ours

GOLDEN = Path(__file__).parents[1] / "data/golden/optimizers"
STEPS = 50


def setting(problem):
    "The initial parameters and the loss(params, step) of a problem of problems.npz."
    data = dict(np.load(GOLDEN / "problems.npz"))
    given = {name.removeprefix(problem + "_"): jnp.asarray(value) for name, value in data.items() if name.startswith(problem + "_")}

    def square(p, step): return 0.5 * jnp.sum((given["A"] @ p["W"] @ given["R"] - given["C"]) ** 2)

    def quad(p, step):
        d = p["b"] - given["bstar"]
        return square(p, step) + 0.5 * d @ given["H"] @ d

    def diag(p, step): return 0.5 * jnp.sum(given["h"] * (p["W"] - given["t"]) ** 2)

    def mlp(p, step):
        x, y = (jax.lax.dynamic_slice_in_dim(given[name], 8 * (step % 4), 8) for name in "xy")
        return jnp.mean((jnp.tanh(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) ** 2)

    names = {"mlp": {n: n for n in ("W1", "b1", "W2", "b2")}, "quad": {"W": "W0", "b": "b0"}}.get(problem, {"W": "W0"})
    return {name: given[key] for name, key in names.items()}, locals()[problem]


def follow(optimizer, problem, extra=lambda loss, params, step: {}, after_first=lambda state: state):
    "The parameters at the start and after each step. `extra` makes what else `update` wants, `after_first` changes the state once."
    params, loss = setting(problem)
    optimizer = optax.with_extra_args_support(optimizer)
    trajectory, state = [params], optimizer.init(params)

    @jax.jit
    def one(params, state, step):
        value, gradient = jax.value_and_grad(loss)(params, step)
        more = {"value": value} | extra(lambda p: loss(p, step), params, step)
        updates, state = optimizer.update(gradient, state, params, **more)
        return optax.apply_updates(params, updates), state

    for step in range(STEPS):
        params, state = one(params, state, step)
        if step == 0: state = after_first(state)
        trajectory.append(params)
    return trajectory, state


def compare(trajectory, golden, problem, tolerance):
    for name in trajectory[0]:
        expected = golden[f"{problem}/{name}"]
        got = np.stack([trajectory[step][name] for step in golden["steps"]])
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, err_msg=f"{problem}/{name}")


def basis_of(golden, problem):
    "Puts the recorded first basis into SOAP's state: the null space of a factor without full rank has no basis of its own."
    def inject(state):
        soap = state[0]
        basis = {name: tuple(None if Q is None else jnp.asarray(golden[f"{problem}/Q{i}_{name}"]) for i, Q in enumerate(Qs))
                 for name, Qs in soap.basis.items()}
        return (soap._replace(basis=basis), *state[1:])
    return inject


# file, optimizer, tolerance by problem
CASES = [
    ("soap_f10", ours.soap(0.03), {"square": 1e-7, "mlp": 1e-12, "quad": 1e-8}),
    ("soap_f3_onesided", ours.soap(0.03, precondition_frequency=3, max_precond_dim=4), {"square": 1e-7, "mlp": 1e-12, "quad": 1e-12}),
]


@pytest.mark.parametrize("file, optimizer, problem, tolerance", [(f, o, p, tol) for f, o, ps in CASES for p, tol in ps.items()],
                         ids=[f"{f}-{p}" for f, _, ps in CASES for p in ps])
def test_the_authors_program(file, optimizer, problem, tolerance):
    golden = np.load(GOLDEN / f"{file}.npz")
    more = {"after_first": basis_of(golden, problem)} if file.startswith("soap") else {}
    with jax.enable_x64():
        trajectory, _ = follow(optimizer, problem, **more)
        compare(trajectory, golden, problem, tolerance)
