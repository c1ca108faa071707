"""The optimizers inside optax's own wrappers: injected numbers, averages found wherever they are, donated buffers."""
import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recurrent_lab import optimizers as ours

KEY = jax.random.key(0)
PARAMS = {"W": jnp.array([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.3]]), "b": jnp.array([0.7, -0.4])}
TARGETS = jnp.array([[0.1, -0.2], [0.3, 0.4]])
average = ours.uniform_weights


def predict(p): return jnp.ones((2, 3)) @ p["W"] + p["b"]


def square(z, y): return jnp.sum((z - y) ** 2)


def loss(p): return jnp.mean(jax.vmap(square)(predict(p), TARGETS)) + 0.1 * sum(jnp.sum(x**2) for x in jax.tree.leaves(p))


def step(optimizer, params, state):
    "One step with everything that any of the optimizers wants."
    value, g = jax.value_and_grad(loss)(params)
    wanted = dict(value=value, hess_grad=g, hessian_diag=jax.tree.map(jnp.abs, g), grad_fn=jax.grad(loss), predict=predict,
                  targets=TARGETS, value_fn=loss)
    updates, state = optax.with_extra_args_support(optimizer).update(g, state, params, **wanted)
    return optax.apply_updates(params, updates), state


def learn(optimizer, params=PARAMS, steps=3):
    one = lambda _, carry: step(optimizer, *carry)
    return jax.jit(lambda *carry: jax.lax.fori_loop(0, steps, one, carry))(params, optimizer.init(params))


def close(a, b, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **(dict(rtol=1e-5, atol=1e-6) | tolerance)), a, b)


def constructors():
    "Every public function that makes a transformation."
    made = ("Transformation", "optax.GradientTransformation")
    functions = {name: f for name, f in vars(ours).items() if inspect.isfunction(f)}
    return {name: f for name, f in functions.items() if inspect.signature(f).return_annotation in made}


# what the constructors want that have no default for it; functions that are no schedules are static, as in optax itself
adam = optax.scale_by_adam()
NUMBERS = dict(learning_rate=0.01, batch_size=16.0, key=KEY, noise=0.1, damping=0.1, total_steps=100, max_norm=0.3, inner=adam,
               optimizers=(adam, optax.identity()), which=0, chosen=adam, rest=optax.identity(), direction=adam, magnitude=adam, rates=(0.01, 0.1),
               anchor=PARAMS, every=2, beta=0.3)
STATIC = dict(loss=square, weight=average(), select=ours.is_matrix, correct=ours.take_sign)
ELSEWHERE = {"soap", "shampoo", "muon", "scale_by_soap", "scale_by_shampoo", "scale_by_muon"}  # in test_optimizers
TOOLS = {"leafwise", "decay_after", "scale_by_width"}  # they take models, the name of a state or the like, and no numbers
GIVEN = {"line_searched": (dict(direction=partial(ours.gauss_newton_cg, loss=square, damping=0.1, iterations=3)), ["direction"])}


@pytest.mark.parametrize("name", sorted(constructors().keys() - ELSEWHERE - TOOLS))
def test_every_constructor_may_be_injected(name):
    "The path is that without injection, and a learning rate changed on the way counts from then on."
    make = constructors()[name]
    own, static = GIVEN.get(name, ({}, []))
    wanted = [n for n, p in inspect.signature(make).parameters.items() if p.default is p.empty or n == "learning_rate"]
    given = {n: (NUMBERS | STATIC | own)[n] for n in wanted}
    static = [*static, *(n for n in wanted if n in STATIC)]
    injected = optax.inject_hyperparams(make, static_args=static)(**given)
    plain, _ = learn(make(**given))
    path, state = learn(injected)
    close(path, plain, rtol=1e-3, atol=1e-4)  # an injected 1 - 0.999 is one of float32, five digits
    rates = {n for n in state.hyperparams if n in ("weight_decay", "weight_decay_1d") or n.startswith("learning_rate")}
    assert ("learning_rate" in wanted) == ("learning_rate" in rates)
    # Schedule-Free goes on averaging, and AdaBound's final rate is not relative to what is injected
    if "learning_rate" in rates and not name.startswith("schedule_free") and name != "adabound":
        state.hyperparams.update({n: jnp.full_like(state.hyperparams[n], 1e-12) for n in rates})
        close(step(injected, path, state)[0], path, rtol=0, atol=1e-7)


def test_the_list_of_constructors_is_not_empty():
    assert {"ademamix", "psgd_kron", "mars", "schedule_free_sgd", "average_params", "clip_by_array_norm", "grades"} <= constructors().keys()
    assert ELSEWHERE | TOOLS <= constructors().keys()


# --- averages

def free(): return ours.schedule_free_sgd(0.1)


def steps_of(optimizer, n=4):
    "The parameters after each of n steps, and the last state."
    params, state, seen = PARAMS, optimizer.init(PARAMS), []
    for _ in range(n):
        params, state = step(optimizer, params, state)
        seen.append(params)
    return seen, state


WRAPPED = {
    "alone": lambda tx: tx,
    "in a chain": lambda tx: optax.chain(optax.clip(10.0), optax.chain(tx)),
    "injected": lambda tx: optax.inject_hyperparams(lambda scale: optax.chain(optax.scale(scale), tx))(1.0),
    "frozen by GradES": lambda tx: ours.grades(tx, 100, tau=1e-9),
    "when it is finite": lambda tx: optax.apply_if_finite(tx, 3),
    "one for all of a partition": lambda tx: ours.partition_by(lambda path, p: True, tx, optax.sgd(0.1)),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("kind", ["ours", "optax", "average"])
def test_the_average_is_found_inside(name, kind):
    keeps = {"ours": free(), "optax": optax.contrib.schedule_free_sgd(0.1),
             "average": optax.chain(optax.sgd(0.1), ours.average_params(average()))}[kind]
    seen, state = steps_of(keeps)
    expected = jax.tree.map(lambda *p: sum(p) / len(p), *seen) if kind == "average" else \
        optax.contrib.schedule_free_eval_params(state, seen[-1])
    inside, state = steps_of(WRAPPED[name](keeps))
    close(ours.eval_params(state, inside[-1]), expected)
    far = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), expected, seen[-1])
    assert min(jax.tree.leaves(far)) > 1e-3


def test_a_part_without_an_average_is_as_it_is_and_two_parts_have_their_own():
    seen, state = steps_of(ours.partition_by(ours.is_matrix, free(), optax.sgd(0.1)))
    at = ours.eval_params(state, seen[-1])
    assert (at["b"] == seen[-1]["b"]).all() and jnp.abs(at["W"] - seen[-1]["W"]).max() > 1e-3
    other = optax.chain(optax.sgd(0.1), ours.average_params(average()))
    seen, state = steps_of(ours.partition_by(ours.is_matrix, free(), other))
    both = ours.eval_params(state, seen[-1])
    close(both["b"], sum(p["b"] for p in seen) / 4)
    close(both["W"], at["W"], atol=0.1)


def test_a_prefix_of_a_partition_and_missing_leaves():
    params = {"deep": {"W": jnp.ones((2, 2)), "none": None}, "b": jnp.ones(2)}
    optimizer = optax.partition({"a": free(), "z": optax.sgd(0.1)}, {"deep": "z", "b": "a"})
    state = optimizer.init(params)
    updates, state = optimizer.update(params, state, params)
    params = optax.apply_updates(params, updates)
    at = ours.eval_params(state, params)
    assert jax.tree.structure(at) == jax.tree.structure(params) and (at["deep"]["W"] == params["deep"]["W"]).all()


@pytest.mark.parametrize("optimizer, says", [
    (optax.adam(0.1), r"no average in this state, given tuple; schedule_free and average_params keep one"),
    (optax.chain(free(), ours.average_params(average())), r"2 averages of one parameter, allowed is one; given ScheduleFreeState, AverageState"),
])
def test_none_and_two_are_refused(optimizer, says):
    with pytest.raises(ValueError, match=says): ours.eval_params(optimizer.init(PARAMS), PARAMS)


def test_a_population_is_evaluated_under_vmap():
    rates = jnp.array([0.1, 0.2])
    at = lambda rate: (lambda p, s: ours.eval_params(s, p))(*learn(ours.schedule_free_sgd(rate, b1=0.5 + rate)))
    each = [at(rate) for rate in rates]
    close(jax.vmap(at)(rates), jax.tree.map(lambda *x: jnp.stack(x), *each))


# --- Schedule-Free

@pytest.mark.parametrize("make", [ours.schedule_free_sgd, ours.schedule_free_adamw])
def test_schedule_free_averages_in_bfloat16(make):
    "Beyond 256 steps, where a sum of weights in bfloat16 stays, the average is still that of all: 1,500 steps against float32."
    noise = jax.random.normal(KEY, (1500, 32))
    def run(dtype):
        def one(carry, e):
            y, state = carry
            updates, state = optimizer.update((y.astype(jnp.float32) - 1 + 4 * e).astype(dtype), state, y)
            return (optax.apply_updates(y, updates), state), None
        optimizer, start = make(0.1), jnp.zeros(32, dtype)
        return jax.lax.scan(one, (start, optimizer.init(start)), noise)[0]
    y, state = run(jnp.bfloat16)
    wide = run(jnp.float32)[1]
    assert y.dtype == jnp.bfloat16 and state.weight_sum == wide.weight_sum > 0.99 * 1500 * 0.1**2
    x = [ours.eval_params(s, p) for p, s in (run(jnp.bfloat16), run(jnp.float32))]
    assert jnp.sqrt(jnp.mean((x[0] - x[1]) ** 2)) < 2**-8 and x[0].dtype == jnp.float32


def test_schedule_free_as_in_the_authors_program():
    "`r`, `weight_lr_power`, a warm-up and a rate that changes on the way; the decay is of y, where the mask says."
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(60, 4))
    rates, decay = 0.1 / (1 + np.arange(60) / 20), np.array([0.5, 0.5, 0.0, 0.0])
    x = z = y = np.zeros(4); largest, total, seen = 0.0, 0.0, []
    for k, g in enumerate(gradients):
        lr = rates[k] * min((k + 1) / 7, 1)
        largest = max(lr, largest)
        weight = (k + 1) ** 0.5 * largest**1.5
        total += weight
        z = z - lr * (g + decay * y)
        x = (1 - weight / total) * x + weight / total * z
        y = 0.8 * x + 0.2 * z
        seen.append(y)
    with jax.enable_x64():
        optimizer = ours.schedule_free_sgd(lambda k: 0.1 / (1 + k / 20.0), 7, 0.8, 0.5, {"decays": True, "not": False}, 0.5, 1.5)
        split = lambda v: {"decays": jnp.asarray(v[..., :2]), "not": jnp.asarray(v[..., 2:])}
        path = ours.replay(optimizer, split(np.zeros(4)), split(gradients))
        np.testing.assert_allclose(np.concatenate([path["decays"], path["not"]], 1), seen, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [ours.schedule_free_adamw, ours.l_dog, partial(ours.mars, exact=True)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parameters_and_state_may_be_donated_together(make, dtype):
    params = jax.tree.map(lambda p: jnp.array(p, dtype), PARAMS)
    optimizer = make()
    state = optimizer.init(params)
    advance = jax.jit(partial(step, optimizer), donate_argnums=(0, 1))
    for _ in range(2): params, state = advance(params, state)
    assert all(jnp.isfinite(p).all() for p in jax.tree.leaves(params))


# --- bases of schedules, layouts

@pytest.mark.parametrize("make", [ours.adabound, partial(ours.gravity, key=KEY)])
def test_a_schedule_that_begins_at_zero_has_no_base_rate(make):
    with pytest.raises(ValueError, match="learning_rate must be > 0, given learning_rate=0.0"):
        make(optax.linear_schedule(0.0, 0.1, 10))


@pytest.mark.parametrize("shape, axes", [((5, 4, 3, 2), (2, 3, 1, 0)), ((5, 4, 3), (2, 1, 0)), ((5, 4), (1, 0))])
def test_adahessian_is_the_same_in_the_layout_of_flax(shape, axes):
    "(out, in, ...) against (..., in, out): the same steps, transposed."
    rng = np.random.default_rng(0)
    g, D = jnp.asarray(rng.normal(size=(2, *shape)), jnp.float32)
    turn = lambda x: jnp.transpose(x, axes)
    one, other = ours.scale_by_adahessian(rows=True), ours.scale_by_adahessian(rows=True, outputs_last=True)
    u, _ = one.update(g, one.init(g), hessian_diag=D)
    v, _ = other.update(turn(g), other.init(turn(g)), hessian_diag=turn(D))
    close(turn(u), v)
    blind, _ = one.update(turn(g), one.init(turn(g)), hessian_diag=turn(D))
    assert jnp.abs(blind - v).max() > 0.1


def test_ademamix_keeps_its_slow_momentum_wide():
    state = ours.ademamix(0.1, mu_dtype="bfloat16").init(jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS))
    kinds = {name: getattr(state[0], name)["W"].dtype.name for name in ("mu", "slow", "nu")}
    assert kinds == {"mu": "bfloat16", "slow": "float32", "nu": "float32"}


def test_exact_mars_asks_for_the_gradient_at_the_parameters_before():
    optimizer = ours.correct_by_exact_mars(gamma=0.5, b1=0.5, select=ours.is_matrix)
    small = lambda p: jax.tree.map(lambda x: 0.01 * x, p)  # the gradient of a bowl, too small to be clipped
    state = optimizer.init(PARAMS)
    c, state = optimizer.update(small(PARAMS), state, PARAMS, grad_fn=small)
    close(c, small(PARAMS), rtol=0, atol=0)
    moved = jax.tree.map(lambda p: p + 1.0, PARAMS)
    c, _ = optimizer.update(small(moved), state, moved, grad_fn=small)
    close(c, {"W": 0.01 * moved["W"] + 0.5 * 0.01, "b": 0.01 * moved["b"]})
    with pytest.raises(ValueError, match="update needs params= and grad_fn="): optimizer.update(small(moved), state, moved)
