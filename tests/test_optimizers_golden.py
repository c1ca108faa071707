"""The optimizers against the authors' own programs: 50 steps in float64, from the same start, to the last digits."""
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
        basis = {name: tuple(None if Q is None else jnp.asarray(golden[f"{problem}/Q{i}_{name}"]) for i, Q in enumerate(Qs))
                 for name, Qs in state[0].basis.items()}
        return (state[0]._replace(basis=basis), *state[1:])
    return inject


def sampled_gradients(golden, problem):
    "Sophia's recorded gradients: the one applied after step 5k is the one asked for before the next."
    def extra(loss, params, step):
        at = jnp.maximum(step // 5 - 1, 0)
        return {"hess_grad": lambda params: {name: jnp.asarray(golden[f"{problem}/ghat_{name}"])[at] for name in params}}
    return extra


def signed_products(golden, problem):
    "AdaHessian's z * Hz for the recorded signs z."
    def extra(loss, params, step):
        z = {name: jnp.asarray(golden[f"{problem}/rademacher_{name}"], p.dtype)[step] for name, p in params.items()}
        return {"hessian_diag": jax.tree.map(jnp.multiply, z, jax.jvp(jax.grad(loss), (params,), (z,))[1])}
    return extra


def noise_of(golden, problem):
    "Gravity with the recorded first velocity."
    optimizer = ours.gravity(0.1, 0.01, 0.9, key=jax.random.key(0))
    def init(params):
        noise = {name: jnp.asarray(golden[f"{problem}/v0_{name}"]) for name in params}
        return optax.tree.set(optimizer.init(params), mu=noise)
    return optimizer._replace(init=init)


BOTH, EXACT = ("quad", "mlp"), 1e-12
adam = dict(b1=0.9, b2=0.999, weight_decay=0.1)
# file: (optimizer, its tolerance by problem, what else the run needs)
CASES = {
    "soap_f10": (ours.soap(0.03), {"square": 1e-7, "mlp": EXACT, "quad": 1e-8}, {"after_first": basis_of}),
    "soap_f3_onesided": (ours.soap(0.03, precondition_frequency=3, max_precond_dim=4), {"square": 1e-7, "mlp": EXACT, "quad": EXACT},
                         {"after_first": basis_of}),
    "muon": (ours.muon(0.05, 0.95, 0.1, adam_learning_rate=0.01), dict.fromkeys(("quad", "square", "mlp"), EXACT), {}),
    "adalayer_formula": (ours.adalayer(0.01, **adam), BOTH, {}),
    "cautious_adamw": (ours.cautious_adamw(0.01, **adam), BOTH, {}),
    "grams": (ours.grams(0.01, **adam), BOTH, {}),
    "mars_adamw": (ours.mars(0.01, weight_decay=0.1), BOTH, {}),
    "sophia_g": (ours.sophia_g(0.01, batch_size=16, update_interval=5), BOTH, {"extra": sampled_gradients}),
    "ademamix": (ours.ademamix(0.01, weight_decay=0.1), BOTH, {}),
    "simplified_ademamix": (ours.simplified_ademamix(0.001, alpha=2.0, weight_decay=0.1), BOTH, {}),
    "adopt": (ours.adopt(0.01), BOTH, {}),
    "adabound": (ours.adabound(0.01, gamma=0.01, weight_decay=0.01), BOTH, {}),
    "amsbound": (ours.adabound(0.01, gamma=0.01, weight_decay=0.01, amsbound=True), BOTH, {}),
    "adahessian": (ours.adahessian(0.05), ("diag", "quad", "mlp"), {"extra": signed_products}),
    "ldog": (ours.l_dog(reps_rel=0.01), BOTH, {}),
    "gravity": (noise_of, BOTH, {}),
    "induced_sgd": (ours.induced_metric(0.1, weight_decay=0.01), BOTH, {}),
    "schedule_free_adamw": (ours.schedule_free_adamw(0.02, weight_decay=0.1), BOTH, {}),
    "schedule_free_sgd": (ours.schedule_free_sgd(0.3, weight_decay=0.01), BOTH, {}),
    # used as they are in optax
    "dog": (optax.contrib.dog(init_step=("heuristic", 0.01)), BOTH, {}),
    "lion": (optax.lion(0.005, weight_decay=0.1), BOTH, {}),
    "signum_formula": (optax.chain(optax.ema(0.9, debias=False), optax.scale_by_sign(), optax.add_decayed_weights(0.1),
                                   optax.scale_by_learning_rate(0.005)), BOTH, {}),
    "torch_adamw": (optax.adamw(0.01, weight_decay=0.1), BOTH, {}),
}
RUNS = [(file, problem) for file, (_, problems, _) in CASES.items() for problem in problems]


@pytest.mark.parametrize("file, problem", RUNS, ids=map("-".join, RUNS))
def test_the_authors_program(file, problem):
    golden, (optimizer, problems, more) = np.load(GOLDEN / f"{file}.npz"), CASES[file]
    with jax.enable_x64():
        if optimizer is noise_of: optimizer = noise_of(golden, problem)
        trajectory, _ = follow(optimizer, problem, **{name: make(golden, problem) for name, make in more.items()})
        compare(trajectory, golden, problem, problems[problem] if isinstance(problems, dict) else EXACT)


def test_every_recording_is_used():
    assert {p.stem for p in GOLDEN.glob("*.npz")} == {"problems", "psgd_kron", *CASES}


@pytest.mark.parametrize("problem", BOTH)
def test_psgd_kron_with_the_probes_of_the_authors_program(problem, monkeypatch):
    golden = np.load(GOLDEN / "psgd_kron.npz")
    with jax.enable_x64():
        recorded = {golden[name].shape[1:]: jnp.asarray(golden[name]) for name in golden if name.startswith(f"{problem}/probe_")}
        assert len(recorded) == len(setting(problem)[0])  # no two arrays of one shape
        monkeypatch.setattr("recurrent_lab.optimizers.psgd.probe", lambda key, t, like: recorded[like.shape][t - 1])
        optimizer = ours.psgd_kron(0.003, weight_decay=0.1, update_probability=1.0, key=jax.random.key(0))
        compare(follow(optimizer, problem)[0], golden, problem, EXACT)


@pytest.mark.parametrize("file", ["dog", "ldog"])
def test_polynomial_averaging(file):
    golden, (optimizer, *_) = np.load(GOLDEN / f"{file}.npz"), CASES[file]
    with jax.enable_x64():
        _, state = follow(optax.chain(optimizer, ours.average_params(ours.polynomial_weights(8.0))), "mlp")
        for name, mean in ours.averaged_params(state).items():
            np.testing.assert_allclose(mean, golden[f"mlp/avg_{name}"][-1], rtol=0, atol=EXACT)


@pytest.mark.parametrize("file", ["schedule_free_adamw", "schedule_free_sgd"])
def test_the_evaluated_iterate(file):
    golden, (optimizer, *_) = np.load(GOLDEN / f"{file}.npz"), CASES[file]
    with jax.enable_x64():
        trajectory, state = follow(optimizer, "mlp")
        for name, x in ours.eval_params(state, trajectory[-1]).items():
            np.testing.assert_allclose(x, golden[f"mlp/x_{name}"][-1], rtol=0, atol=EXACT)


# --- warm-ups, of which there are no recordings: the authors' schedules and updates, written out in numpy

def half_life_scheduler(step, end, start, warmup):
    "`linear_hl_warmup_scheduler` of the authors' program for AdEMAMix, which that for Simplified AdEMAMix has too."
    def f(beta, eps=1e-8): return np.log(0.5) / np.log(beta + eps) - 1
    a = step / warmup
    return 0.5 ** (1 / ((1 - a) * f(start) + a * f(end) + 1)) if step < warmup else end


def ademamix_loop(p, gradients, lr, b1, b2, b3, alpha, eps, warmup, weight_decay):
    m1 = m2 = nu = np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        slow, mixed = half_life_scheduler(t, b3, b1, warmup), alpha * min(t / warmup, 1)
        m1, m2, nu = b1 * m1 + (1 - b1) * g, slow * m2 + (1 - slow) * g, b2 * nu + (1 - b2) * g**2
        u = (m1 / (1 - b1**t) + mixed * m2) / (np.sqrt(nu / (1 - b2**t)) + eps)
        p = p - lr * (u + weight_decay * p)
        yield p


def simplified_loop(p, gradients, lr, b1, b2, alpha, eps, b1_warmup, min_b1, weight_decay):
    m = nu = np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m, nu = half_life_scheduler(t, b1, min_b1, b1_warmup) * m + g, b2 * nu + (1 - b2) * g**2
        u = (alpha * g + m) / (np.sqrt(nu / (1 - b2**t)) + eps)
        p = p - lr * (u + weight_decay * p)
        yield p


@pytest.mark.parametrize("make, loop, numbers", [
    (ours.ademamix, ademamix_loop, dict(b1=0.9, b2=0.999, b3=0.9999, alpha=2.0, eps=1e-8, warmup=30, weight_decay=0.1)),
    (ours.simplified_ademamix, simplified_loop,
     dict(b1=0.99, b2=0.95, alpha=2.0, eps=1e-8, b1_warmup=30, min_b1=0.9, weight_decay=0.1))], ids=["ademamix", "simplified_ademamix"])
def test_warmups_of_half_lives(make, loop, numbers):
    rng = np.random.default_rng(0)
    p, gradients = rng.normal(size=5), rng.normal(size=(STEPS, 5))
    with jax.enable_x64():
        got = ours.replay(make(0.01, **numbers), jnp.asarray(p), jnp.asarray(gradients))
        np.testing.assert_allclose(got, list(loop(p, gradients, 0.01, **numbers)), rtol=0, atol=EXACT)
