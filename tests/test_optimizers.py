"""What every optimizer of the room must stand: jit, scan, vmap, missing leaves, partition, half precision, chains, bad numbers."""
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recurrent_lab import optimizers as ours
from recurrent_lab.training import grid, train

KEY = jax.random.key(0)
# name: (learning rate that suits the problem, the optimizer at this rate and at a number of its own, that number)
OPTIMIZERS = {
    # the first basis of a factor without full rank is eigh's choice, another one under vmap: only axes of two, whose factors have it
    "soap": (0.05, lambda lr, b2: ours.soap(lr, b2=b2, max_precond_dim=2, precondition_frequency=3), 0.9),
    "shampoo": (0.05, lambda lr, eps: ours.shampoo(lr, eps=eps), 1e-3),
    "shampoo averaged, grafted": (0.03, lambda lr, b2: ours.shampoo(lr, b2=b2, power=0.5, graft_to=optax.scale_by_adam()), 0.9),
    "muon": (0.03, lambda lr, b: ours.muon(lr, b, adam_learning_rate=lr), 0.9),
    "adalayer": (0.03, lambda lr, b1: ours.adalayer(lr, b1), 0.9),
    "adam_hat": (0.03, lambda lr, b1: ours.decoupled(ours.scale_by_adam_hat(b1), lr), 0.9),
    "cautious_adamw": (0.03, lambda lr, wd: ours.cautious_adamw(lr, weight_decay=wd), 0.01),
    "cautious lion": (0.01, lambda lr, b1: ours.decoupled(ours.cautious(optax.scale_by_lion(b1)), lr), 0.9),
    "grams": (0.03, lambda lr, b1: ours.grams(lr, b1), 0.9),
    "mars": (0.03, lambda lr, gamma: ours.mars(lr, gamma=gamma, optimize_1d=True), 0.05),
    "sophia_g": (0.01, lambda lr, rho: ours.sophia_g(lr, 16, rho=rho, interval=3), 0.05),
    "accelerated_sgd": (0.01, lambda lr, alpha: ours.accelerated_sgd(lr, 0.9, alpha), 1.0),
    "simplified_ademamix": (0.003, lambda lr, b1: ours.simplified_ademamix(lr, b1, alpha=2.0, b1_warmup=20, min_b1=0.5), 0.9),
    "ademamix": (0.01, lambda lr, b3: ours.ademamix(lr, b3=b3, warmup=20), 0.99),
    "amsgrad": (0.01, lambda lr, b2: ours.amsgrad(lr, b2=b2), 0.9),
    "adabound": (0.01, lambda lr, gamma: ours.adabound(lr, gamma=gamma), 0.01),
    "amsbound": (0.01, lambda lr, final: ours.adabound(lr, final, amsbound=True), 0.1),
    "adopt": (0.03, lambda lr, wd: ours.adopt(lr, b2=0.99, weight_decay=wd, decoupled=True), 0.01),
    "adahessian": (0.03, lambda lr, power: ours.adahessian(lr, hessian_power=power, rows=True), 0.9),
    "l_dog": (1.0, lambda lr, r: ours.l_dog(lr, r), 0.01),
    "gravity": (0.1, lambda lr, beta: ours.gravity(lr, beta=beta, key=KEY), 0.8),
    "induced_metric": (0.2, lambda lr, xi: ours.induced_metric(lr, xi=xi), 0.1),
    "induced_metric log": (0.2, lambda lr, xi: ours.induced_metric(lr, xi=xi, form="log"), 0.1),
    "induced_metric rms": (0.03, lambda lr, xi: ours.induced_metric(lr, xi=xi, form="rms"), 0.1),
    "schedule_free_adamw": (0.03, lambda lr, b1: ours.schedule_free_adamw(lr, 5, b1), 0.9),
    "schedule_free_sgd": (0.3, lambda lr, b1: ours.schedule_free_sgd(lr, 5, b1), 0.9),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
X = jax.random.normal(KEY, (16, 2))
Y = jnp.tanh(X @ jnp.array([[1.0], [-2.0]]))
MODEL, STATIC = eqx.partition(eqx.nn.MLP(2, 1, 4, 1, key=KEY), eqx.is_inexact_array)  # None where the activations were


def loss(params):
    model = eqx.combine(params, STATIC)
    return jnp.mean((jax.vmap(model)(X.astype(jax.tree.leaves(params)[0].dtype)) - Y) ** 2).astype(jnp.float32)


def learn(optimizer, params=MODEL, steps=30, loss=loss):
    "The parameters after each step, and the final state: one scan, which refuses a state that changes its structure or dtypes."
    optimizer = optax.with_extra_args_support(optimizer)

    def step(carry, _):
        params, state = carry
        value, g = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(g, state, params, value=value, hess_grad=g, hessian_diag=jax.tree.map(jnp.abs, g))
        params = optax.apply_updates(params, updates)
        return (params, state), params

    (_, state), path = jax.lax.scan(step, (params, optimizer.init(params)), None, steps)
    return path, state


last = lambda path: jax.tree.map(lambda p: p[-1], path)


def close(a, b, **tolerance):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a, np.float32), np.asarray(b, np.float32), **tolerance), a, b)


@every_optimizer
def test_learns_a_filtered_module_and_is_swept_by_vmap(name):
    lr, make, number = OPTIMIZERS[name]
    rates, numbers = jnp.array([lr, lr / 2]), jnp.array([number, 0.8 * number])
    runs = jax.jit(jax.vmap(lambda lr, number: last(learn(make(lr, number))[0])))(rates, numbers)
    first, second = (jax.tree.map(lambda p: p[i], runs) for i in range(2))
    assert loss(first) < 0.7 * loss(MODEL)
    close(first, last(learn(make(lr, number))[0]), rtol=1e-3, atol=1e-4)
    assert not np.allclose(first.layers[0].weight, second.layers[0].weight, atol=1e-4)


@every_optimizer
def test_a_partition_is_the_optimizer_alone(name):
    lr, make, number = OPTIMIZERS[name]
    matrices, vectors = eqx.partition(MODEL, lambda p: eqx.is_array(p) and p.ndim > 1)
    alone, _ = learn(make(lr, number), matrices, 8, lambda matrices: loss(eqx.combine(matrices, vectors)))
    split, _ = learn(ours.split(ours.is_matrix, make(lr, number), optax.set_to_zero()), MODEL, 8)
    close(last(split), eqx.combine(last(alone), vectors), rtol=1e-3, atol=1e-4)


@every_optimizer
def test_half_precision_and_chains(name):
    lr, make, number = OPTIMIZERS[name]
    half = jax.tree.map(lambda p: p.astype(jnp.bfloat16), MODEL)
    chain = optax.chain(optax.clip_by_global_norm(1.0), make(lr, number), ours.average_params(ours.uniform()))
    path, state = learn(chain, half, 30)
    assert {p.dtype.name for p in jax.tree.leaves(path)} == {"bfloat16"} and loss(last(path)) < 0.8 * loss(half)
    mean = jax.tree.map(lambda p: p.astype(jnp.float32).mean(0), path)
    close(ours.averaged_params(state), mean, rtol=0, atol=0.02)  # the mean saw the parameters before they were rounded


def test_second_moments_are_kept_in_float32():
    params = {"w": jnp.ones((2, 2), jnp.bfloat16)}
    for name, (lr, make, number) in OPTIMIZERS.items():
        if name in ("muon", "ademamix", "amsgrad", "adopt", "mars", "cautious lion") or "schedule" in name or "grafted" in name: continue  # optax's own states
        state = make(lr, number).init(params)
        assert {x.dtype.name for x in jax.tree.leaves(state)} <= {"float32", "int32"}, name


def test_inside_a_population():
    def init(hyper, *, key):
        params = {"w": jax.random.normal(key, (2, 3)), "b": jnp.zeros(3)}
        return params, ours.soap(hyper["lr"]).init(params)

    def step(state, hyper, *, key):
        params, memory = state
        value, g = jax.value_and_grad(lambda p: jnp.sum((p["w"] - 1) ** 2) + jnp.sum((p["b"] - 2) ** 2))(params)
        updates, memory = ours.soap(hyper["lr"], precondition_frequency=2).update(g, memory, params)
        return (optax.apply_updates(params, updates), memory), {"loss": value}

    table = train(init, step, grid(seed=[0, 1], lr=[0.01, 0.1]), steps=40, every=20).table
    losses = table[table["step"] == 40].groupby("lr")["loss"].max()
    assert losses[0.1] < losses[0.01] < table["loss"].max()


@pytest.mark.parametrize("make, says", [
    (lambda: ours.soap(b1=1.0), r"soap: b1 must be in \[0, 1\), given b1=1.0"),
    (lambda: ours.soap(precondition_frequency=0), r"soap: precondition_frequency must be >= 1, given precondition_frequency=0"),
    (lambda: ours.soap(-1.0), r"soap: learning_rate must be >= 0"),
    (lambda: ours.shampoo(0.1, eps=0.0), r"shampoo: eps must be > 0"),
    (lambda: ours.muon(momentum=-0.1), r"muon: momentum must be in \[0, 1\)"),
    (lambda: ours.adalayer(0.1, b2=jnp.array([0.9, 1.1])), r"adalayer: b2 must be in \[0, 1\)"),
    (lambda: ours.sophia_g(0.1, batch_size=0), r"sophia_g: batch_size must be > 0"),
    (lambda: ours.simplified_ademamix(0.1, b1_warmup=0), r"half_life_warmup: warmup must be >= 1"),
    (lambda: ours.adabound(final_lr=0.0), r"adabound: final_lr must be > 0"),
    (lambda: ours.adahessian(hessian_power=2.0), r"adahessian: hessian_power must be in \[0, 1\]"),
    (lambda: ours.l_dog(reps_rel=0.0), r"l_dog: reps_rel must be > 0"),
    (lambda: ours.schedule_free_sgd(b1=0.0), r"schedule_free: b1 must be in \(0, 1\)"),
    (lambda: ours.induced_metric(form="tree"), r"form must be one of loss, log, rms, given 'tree'"),
    (lambda: ours.wsd_schedule(1.0, 60, 60, 100), r"warmup_steps \+ decay_steps = 120 is more than total_steps=100"),
    (lambda: ours.scale_by_muon().update(jnp.ones(3), ours.scale_by_muon().init(jnp.ones(3))), r"shape \(3,\) has no rows"),
    (lambda: ours.scale_by_l_dog().update(jnp.ones(3), ours.scale_by_l_dog().init(jnp.ones(3))), r"LDoG: update needs params="),
])
def test_bad_numbers_are_refused_by_name_and_range(make, says):
    with pytest.raises(ValueError, match=says): make()
