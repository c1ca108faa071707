"""What every optimizer of the room must stand: jit, scan, a population, missing leaves, partition, half precision, chains, bad numbers."""
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recurrent_lab import optimizers as ours
from recurrent_lab.training import Process, grid, train

KEY = jax.random.key(0)
adam, sgd = optax.scale_by_adam(), optax.identity()


def square(z, y): return jnp.sum((z - y) ** 2)


# name: (learning rate that suits the problem, the optimizer at this rate and at a number of its own, that number)
OPTIMIZERS = {
    # the first basis of a factor without full rank is eigh's choice, another one under vmap: only axes of two
    "soap": (0.05, lambda lr, b2: ours.soap(lr, b2=b2, max_precond_dim=2, precondition_frequency=3), 0.9),
    "shampoo": (0.05, lambda lr, eps: ours.shampoo(lr, eps=eps), 1e-3),
    "shampoo, grafted": (0.03, lambda lr, b2: ours.shampoo(lr, b2=b2, eps=1e-3, power=0.5, graft_to=adam), 0.9),
    "muon": (0.03, lambda lr, b: ours.muon(lr, b, adam_learning_rate=lr), 0.9),
    "adalayer": (0.03, lambda lr, b1: ours.adalayer(lr, b1), 0.9),
    "adam_hat": (0.03, lambda lr, b1: ours.decoupled(ours.scale_by_adam_hat(b1), lr), 0.9),
    "cautious_adamw": (0.03, lambda lr, wd: ours.cautious_adamw(lr, weight_decay=wd), 0.01),
    "cautious lion": (0.01, lambda lr, b1: ours.decoupled(ours.cautious(optax.scale_by_lion(b1)), lr), 0.9),
    "grams": (0.03, lambda lr, b1: ours.grams(lr, b1), 0.9),
    "mars": (0.03, lambda lr, gamma: ours.mars(lr, gamma=gamma, optimize_1d=True), 0.05),
    "mars, exact": (0.03, lambda lr, gamma: ours.mars(lr, gamma=gamma, optimize_1d=True, exact=True), 0.05),
    "psgd_kron": (0.03, lambda lr, b1: ours.psgd_kron(lr, b1, key=KEY), 0.9),
    "sophia_g": (0.03, lambda lr, rho: ours.sophia_g(lr, 16, rho=rho, update_interval=3), 30.0),
    "accelerated_sgd": (0.01, lambda lr, alpha: ours.accelerated_sgd(lr, 0.9, alpha), 1.0),
    "simplified_ademamix": (
        0.003, lambda lr, b1: ours.simplified_ademamix(lr, b1, alpha=2.0, b1_warmup=20, min_b1=0.5), 0.9),
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
    "gauss_newton": (0.3, lambda lr, damping: ours.decoupled(ours.scale_by_gauss_newton(square, damping), lr), 0.1),
    "grades": (0.03, lambda lr, tau: ours.grades(optax.adam(lr), 30, tau), 0.05),
    "either": (0.03, lambda lr, b1: ours.either([optax.sgd(lr), ours.grams(lr, b1)], 1), 0.9),
    "clip_by_array_norm": (0.1, lambda lr, c: optax.chain(ours.clip_by_array_norm(c), optax.sgd(lr)), 0.3),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
X = jax.random.normal(KEY, (16, 2))
Y = jnp.tanh(X @ jnp.array([[1.0], [-2.0]]))
# None where the activations were
MODEL, STATIC = eqx.partition(eqx.nn.MLP(2, 1, 4, 1, key=KEY), eqx.is_inexact_array)


def predict(params):
    return jax.vmap(eqx.combine(params, STATIC))(X.astype(jax.tree.leaves(params)[0].dtype))


def loss(params):
    return jnp.mean(jax.vmap(square)(predict(params), Y)).astype(jnp.float32)


def one_step(optimizer, loss, params, state):
    "The parameters, the state and the loss, with all that any of the optimizers wants."
    value, g = jax.value_and_grad(loss)(params)
    wanted = dict(value=value, hess_grad=g, hessian_diag=jax.tree.map(jnp.abs, g), predict=predict, targets=Y,
                  grad_fn=jax.grad(loss))
    updates, state = optax.with_extra_args_support(optimizer).update(g, state, params, **wanted)
    return optax.apply_updates(params, updates), state, value


def learn(optimizer, params=MODEL, steps=30, loss=loss):
    "The parameters after each step, and the final state: one scan, which refuses a state that changes its structure or dtypes."
    def step(carry, _):
        params, state, _ = one_step(optimizer, loss, *carry)
        return (params, state), params

    (_, state), path = jax.lax.scan(step, (params, optimizer.init(params)), None, steps)
    return path, state


last = lambda path: jax.tree.map(lambda p: p[-1], path)


def close(a, b, **tolerance):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    wide = lambda x: np.asarray(x, np.float32)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(wide(a), wide(b), **tolerance), a, b)


@every_optimizer
def test_a_population_sweeps_the_numbers(name):
    lr, make, number = OPTIMIZERS[name]
    tx = lambda hyper: make(hyper["lr"], hyper["number"])

    def init(hyper, *, key): return MODEL, tx(hyper).init(MODEL)

    def step(state, hyper, *, key):
        params, state, value = one_step(tx(hyper), loss, *state)
        return (params, state), {"loss": value}

    runs = grid(seed=[0], lr=[lr, lr / 2], number=[number, 0.8 * number])
    trained = train(Process(init, step), runs, steps=30, every=10)
    assert len(trained.failures) == 0
    (first, _), (other_number, _), (other_rate, _), _ = (trained[i] for i in range(4))
    assert loss(first) < 0.7 * loss(MODEL)
    close(first, last(learn(make(lr, number))[0]), rtol=1e-3, atol=1e-4)
    for other in (other_number, other_rate):
        far = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), first, other)
        assert max(jax.tree.leaves(far)) > 1e-4


# a step of Gauss-Newton, and the second gradient of MARS's exact form, are of the whole model
@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - {"gauss_newton", "mars, exact"}))
def test_a_partition_is_the_optimizer_alone(name):
    lr, make, number = OPTIMIZERS[name]
    matrices, vectors = eqx.partition(MODEL, lambda p: eqx.is_array(p) and p.ndim > 1)
    alone, _ = learn(make(lr, number), matrices, 8, lambda matrices: loss(eqx.combine(matrices, vectors)))
    split, _ = learn(ours.partition_by(ours.is_matrix, make(lr, number), optax.set_to_zero()), MODEL, 8)
    close(last(split), eqx.combine(last(alone), vectors), rtol=1e-3, atol=1e-4)


@every_optimizer
def test_half_precision_and_chains(name):
    lr, make, number = OPTIMIZERS[name]
    half = jax.tree.map(lambda p: p.astype(jnp.bfloat16), MODEL)
    chain = optax.chain(optax.clip_by_global_norm(1.0), make(lr, number), ours.average_params(ours.uniform_weights()))
    path, state = learn(chain, half, 30)
    assert {p.dtype.name for p in jax.tree.leaves(path)} == {"bfloat16"} and loss(last(path)) < 0.8 * loss(half)
    mean = jax.tree.map(lambda p: p.astype(jnp.float32).mean(0), path)
    close(ours.averaged_params(state), mean, rtol=0, atol=0.02)  # it saw the parameters before they were rounded


OPTAX_KEEPS = {"muon", "amsgrad", "adopt", "mars", "mars, exact", "cautious lion", "shampoo, grafted", "grades"}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - OPTAX_KEEPS))
def test_our_own_states_are_kept_in_float32(name):
    lr, make, number = OPTIMIZERS[name]
    state = make(lr, number).init({"w": jnp.ones((2, 2), jnp.bfloat16)})
    assert {x.dtype.name for x in jax.tree.leaves(state)} <= {"float32", "int32"}


KEEP_MU = {
    "soap": lambda **more: ours.soap(0.03, max_precond_dim=2, **more),
    "shampoo": lambda **more: ours.shampoo(0.03, b2=0.9, **more),
    "muon": lambda **more: ours.muon(0.03, adam_learning_rate=0.03, **more),
    "adalayer": lambda **more: ours.adalayer(0.03, **more),
    "adam_hat": lambda **more: ours.decoupled(ours.scale_by_adam_hat(**more), 0.03),
    "cautious_adamw": lambda **more: ours.cautious_adamw(0.03, **more),
    "grams": lambda **more: ours.grams(0.03, **more),
    "mars": lambda **more: ours.mars(0.03, **more),
    "mars, exact": lambda **more: ours.mars(0.03, exact=True, **more),
    "cautious lion": lambda **more: ours.decoupled(ours.cautious(optax.scale_by_lion(**more)), 0.01),
    "sophia_g": lambda **more: ours.sophia_g(0.03, 16, rho=30.0, update_interval=3, **more),
    "ademamix": lambda **more: ours.ademamix(0.01, warmup=20, **more),
    "amsgrad": lambda **more: ours.amsgrad(0.01, **more),
    "adopt": lambda **more: ours.adopt(0.03, b2=0.99, **more),
    "psgd_kron": lambda **more: ours.psgd_kron(0.03, key=KEY, **more),
    "accelerated_sgd": lambda **more: ours.accelerated_sgd(0.01, 0.9, **more),
    "simplified_ademamix": lambda **more: ours.simplified_ademamix(0.003, 0.9, **more),
    "adabound": lambda **more: ours.adabound(0.01, **more),
    "adahessian": lambda **more: ours.adahessian(0.03, **more),
}


@pytest.mark.parametrize("name", KEEP_MU)
def test_the_momentum_is_kept_in_another_type(name):
    "Only the momentum is narrower, and it is widened before it is computed with: the path is that of float32 to its rounding."
    full, _ = learn(KEEP_MU[name](), steps=8)
    narrow, state = learn(KEEP_MU[name](mu_dtype="bfloat16"), steps=8)
    kinds = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        field = next((k.name for k in reversed(path) if getattr(k, "name", None) in ("mu", "nu", "factors", "basis", "roots")), None)
        kinds.setdefault(field, set()).add(leaf.dtype.name)
    assert kinds.pop("mu") == {"bfloat16"} and "bfloat16" not in set().union(*kinds.values())
    moved = max(float(jnp.abs(a - b).max()) for a, b in zip(jax.tree.leaves(last(full)), jax.tree.leaves(MODEL)))
    close(last(narrow), last(full), rtol=0, atol=0.1 * moved)


DECAY = {
    "muon": lambda mask: ours.muon(0.1, weight_decay=0.5, adam_learning_rate=0.1, mask=mask),
    "mars": lambda mask: ours.mars(0.1, weight_decay=0.5, learning_rate_1d=0.1, weight_decay_1d=0.5, mask=mask),
    "mars, one axis too": lambda mask: ours.mars(0.1, weight_decay=0.5, optimize_1d=True, mask=mask),
    "schedule_free_adamw": lambda mask: ours.schedule_free_adamw(0.1, weight_decay=0.5, mask=mask),
    "schedule_free_sgd": lambda mask: ours.schedule_free_sgd(0.1, weight_decay=0.5, mask=mask),
    "l_dog": lambda mask: ours.l_dog(reps_rel=0.1, weight_decay=0.5, mask=mask),
    "soap": lambda mask: ours.soap(0.1, weight_decay=0.5, mask=mask),
    "shampoo": lambda mask: ours.shampoo(0.1, weight_decay=0.5, mask=mask),
}


@pytest.mark.parametrize("name", DECAY)
@pytest.mark.parametrize("mask", [{"W": True, "b": False, "s": {"V": False}},
                                  lambda params: jax.tree.map(lambda p: p.ndim > 1 and p.shape[0] == 3, params)], ids=["tree", "function"])
def test_what_a_mask_leaves_out_does_not_decay(name, mask):
    "Without a gradient a parameter moves by its decay alone."
    params = {"W": jnp.ones((3, 2)), "b": jnp.ones(3), "s": {"V": jnp.ones((2, 2))}}
    nothing = jax.tree.map(lambda p: jnp.zeros((4, *p.shape)), params)
    after = jax.tree.map(lambda p: p[-1], ours.replay(DECAY[name](mask), params, nothing))
    everything = jax.tree.map(lambda p: p[-1], ours.replay(DECAY[name](None), params, nothing))
    assert (after["W"] < 0.999).all() and all((x == 1).all() for x in (after["b"], after["s"]["V"]))
    assert all((x < 0.999).all() for x in jax.tree.leaves(everything))
    close(after["W"], everything["W"], rtol=1e-6)


INJECTED = {
    "soap": (ours.soap, dict(learning_rate=0.05, b2=0.9, max_precond_dim=2, precondition_frequency=3), {}),
    "shampoo": (ours.shampoo, dict(learning_rate=0.03, b2=0.9, eps=1e-3, power=0.5, graft_to=adam), {}),
    "muon": (ours.muon, dict(learning_rate=0.03, beta=0.9, adam_learning_rate=0.03), {}),
    "muon, select": (ours.muon, dict(learning_rate=0.03, select=lambda path, p: p.ndim == 2, ns_steps=3), dict(static_args="select")),
}


@pytest.mark.parametrize("name", INJECTED)
def test_numbers_may_be_injected(name):
    "`optax.inject_hyperparams` takes them, the path is the same, and a number changed on the way counts from then on."
    make, given, static = INJECTED[name]
    optimizer = optax.inject_hyperparams(make, **static)(**given)
    plain, _ = learn(make(**given), steps=8)
    path, state = learn(optimizer, steps=8)
    close(last(path), last(plain), rtol=1e-3, atol=1e-4)
    assert {"learning_rate", "weight_decay"} <= state.hyperparams.keys()
    state.hyperparams["learning_rate"] = jnp.zeros_like(state.hyperparams["learning_rate"])
    for rate in ("adam_learning_rate", "weight_decay"):
        if rate in state.hyperparams: state.hyperparams[rate] = jnp.zeros_like(state.hyperparams[rate])
    still, _, _ = one_step(optimizer, loss, last(path), state)
    close(still, last(path), rtol=0, atol=0)


TAKE_A_TREE = {
    "value_and_forward_grad": lambda p: ours.value_and_forward_grad(loss, p, key=KEY)[1],
    "forward_grad, guess": lambda p: ours.value_and_forward_grad(loss, p, guess=p)[1],
    "spsa": lambda p: ours.spsa(loss, p, key=KEY),
    "lotion": jax.grad(lambda p: ours.lotion(loss, p, jax.tree.map(jnp.ones_like, p))),
    "gauss_newton_cg": lambda p: ours.gauss_newton_cg(predict, square, p, Y, 0.1, 5),
    "line_search": lambda p: ours.line_search(loss, p, jax.grad(loss)(p), jnp.array([0.1, 0.2])),
    "hutchinson": lambda p: ours.hutchinson(jax.grad(loss), p, key=KEY),
    "sampled_gradient": lambda p: ours.sampled_gradient(predict, p, key=KEY),
}


@pytest.mark.parametrize("name", TAKE_A_TREE)
def test_what_takes_a_tree_takes_a_filtered_module(name):
    out = jax.jit(TAKE_A_TREE[name])(MODEL)
    assert jax.tree.structure(out) == jax.tree.structure(MODEL)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(out))


@pytest.mark.parametrize("make, says", [
    (lambda: ours.soap(b1=1.0), r"soap: b1 must be in \[0, 1\), given b1=1.0"),
    (lambda: ours.soap(precondition_frequency=0), r"soap: precondition_frequency must be >= 1, given precondition_fre"),
    (lambda: ours.soap(-1.0), r"soap: learning_rate must be >= 0"),
    (lambda: ours.shampoo(0.1, eps=0.0), r"shampoo: eps must be > 0"),
    (lambda: ours.muon(beta=-0.1), r"muon: beta must be in \[0, 1\)"),
    (lambda: ours.adalayer(0.1, b2=jnp.array([0.9, 1.1])), r"adalayer: b2 must be in \[0, 1\)"),
    (lambda: ours.scale_by_adam_hat(eps=-1.0), r"adam_hat: eps must be >= 0"),
    (lambda: ours.cautious_adamw(0.1, weight_decay=-1.0), r"weight_decay must be >= 0"),
    (lambda: ours.grams(b1=2.0), r"b1 must be in \[0, 1\)"),
    (lambda: ours.mars(gamma=-1.0), r"mars: gamma must be >= 0"),
    (lambda: ours.mars(b1=1.0, exact=True), r"mars: b1 must be in \[0, 1\)"),
    (lambda: ours.psgd_kron(b1=1.0, key=KEY), r"psgd_kron: b1 must be in \[0, 1\)"),
    (lambda: ours.psgd_kron(precond_lr=0.0, key=KEY), r"psgd_kron: precond_lr must be > 0"),
    (lambda: ours.schedule_free_sgd(r=-1.0), r"schedule_free: r must be >= 0"),
    (lambda: ours.sophia_g(0.1, batch_size=0), r"sophia_g: batch_size must be > 0"),
    (lambda: ours.accelerated_sgd(0.1, alpha=-1.0), r"accelerated_sgd: alpha must be >= 0"),
    (lambda: ours.simplified_ademamix(0.1, b1_warmup=0), r"half_life_warmup: warmup must be >= 1"),
    (lambda: ours.ademamix(0.1, b3=1.0), r"ademamix: b3 must be in \[0, 1\)"),
    (lambda: ours.ademamix(0.1, warmup=0), r"half_life_warmup: warmup must be >= 1"),
    (lambda: ours.amsgrad(0.1, b2=1.0), r"amsgrad: b2 must be in \[0, 1\)"),
    (lambda: ours.adabound(final_lr=0.0), r"adabound: final_lr must be > 0"),
    (lambda: ours.adopt(b2=1.0), r"adopt: b2 must be in \[0, 1\)"),
    (lambda: ours.adahessian(hessian_power=2.0), r"adahessian: hessian_power must be in \[0, 1\]"),
    (lambda: ours.l_dog(reps_rel=0.0), r"l_dog: reps_rel must be > 0"),
    (lambda: ours.gravity(beta=1.5, key=KEY), r"gravity: beta must be in \[0, 1\]"),
    (lambda: ours.induced_metric(xi=-1.0), r"induced_metric: xi must be >= 0"),
    (lambda: ours.induced_metric(form="tree"), r"form must be one of loss, log, rms, given 'tree'"),
    (lambda: ours.schedule_free_sgd(b1=0.0), r"schedule_free: b1 must be in \(0, 1\)"),
    (lambda: ours.schedule_free_adamw(b2=1.0), r"schedule_free: b2 must be in \[0, 1\)"),
    (lambda: ours.scale_by_gauss_newton(square, 0.0), r"gauss_newton: damping must be > 0"),
    (lambda: ours.gauss_newton_cg(predict, square, MODEL, Y, 0.1, 0), r"gauss_newton_cg: iterations must be >= 1"),
    (lambda: ours.grades(sgd, 10, tau=0.0), r"grades: tau must be > 0"),
    (lambda: ours.grades(sgd, 10, of="loss"), r"grades: of must be one of gradient, update, given 'loss'"),
    (lambda: ours.clip_by_array_norm(0.0), r"clip_by_array_norm: max_norm must be > 0"),
    (lambda: ours.exponential_weights(1.0), r"exponential: decay must be in \[0, 1\)"),
    (lambda: ours.polynomial_weights(-1.0), r"polynomial: gamma must be >= 0"),
    (lambda: ours.tail_weights(-1), r"tail: start must be >= 0"),
    (lambda: ours.rsqrt_schedule(1.0, 0), r"rsqrt_schedule: t0 must be > 0"),
    (lambda: ours.wsd_schedule(1.0, 60, 60, 100), r"warmup_steps \+ decay_steps = 120 is more than total_steps=100"),
    (lambda: ours.regularized_newton(jnp.sum, jnp.ones(2), -1.0), r"regularized_newton: c must be >= 0"),
    (lambda: ours.damped_newton(jnp.sum, jnp.ones(2), 0.0), r"damped_newton: L must be > 0"),
    (lambda: ours.spsa(loss, MODEL, 0.0, key=KEY), r"spsa: eps must be > 0"),
    (lambda: ours.value_and_forward_grad(loss, MODEL), r"give either key or guess"),
    (lambda: ours.feedback_loss([jnp.sin], X, jnp.sum, [X]), r"1 layers need 0 matrices, given 1"),
    (lambda: ours.int_scale(X, 1), r"int_scale: bits must be >= 2, given bits=1"),
    (lambda: ours.round_mx(X, ours.E4M3), r"round_mx: the last axis, 2, is no multiple of block=32"),
    (lambda: ours.powerprop(X, 0.5), r"powerprop: a must be >= 1"),
    (lambda: ours.scale_by_muon().update(jnp.ones(3), ours.scale_by_muon().init(jnp.ones(3))),
     r"shape \(3,\) has no rows"),
    (lambda: ours.scale_by_l_dog().update(jnp.ones(3), ours.scale_by_l_dog().init(jnp.ones(3))),
     r"LDoG: update needs params="),
])
def test_bad_numbers_are_refused_by_name_and_range(make, says):
    with pytest.raises(ValueError, match=says): make()
