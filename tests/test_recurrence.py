"""The recurrence as a compiled program, and properties of it over shapes that hypothesis picks."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurrent_lab.models.recurrence import METHODS, linear_recurrence

lengths = st.sampled_from([0, 1, 2, 5, 16])
lanes = st.sampled_from([(), (3,), (2, 3)])


def arrays(seed, steps, lanes, constant=False):
    rng = np.random.default_rng(seed)
    shape = (steps, *lanes)
    a = rng.uniform(-1, 1, lanes if constant else shape)
    return tuple(jnp.asarray(v, "float32") for v in (a, rng.normal(size=shape), rng.normal(size=lanes)))


@settings(max_examples=12, deadline=None)
@given(lengths, lanes, st.booleans(), st.booleans(), st.integers(0, 99))
def test_methods_agree(steps, lanes, constant, reverse, seed):
    a, x, h0 = arrays(seed, steps, lanes, constant)
    reset = jnp.arange(steps) % 4 == seed % 4
    results = [linear_recurrence(a, x, h0, reverse=reverse, reset=reset, method=m) for m in METHODS]
    for h in results:
        assert h.shape == x.shape and h.dtype == x.dtype
        np.testing.assert_allclose(h, results[0], atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([2, 5, 16]), lanes, st.data())
def test_two_chunks_are_the_whole(steps, lanes, data):
    a, x, h0 = arrays(0, steps, lanes)
    cut = data.draw(st.sampled_from([1, steps // 2, steps - 1]))
    head = linear_recurrence(a[:cut], x[:cut], h0)
    tail = linear_recurrence(a[cut:], x[cut:], head[-1])
    np.testing.assert_allclose(jnp.concatenate([head, tail]), linear_recurrence(a, x, h0), atol=1e-5)
    tail = linear_recurrence(a[cut:], x[cut:], h0, reverse=True)
    head = linear_recurrence(a[:cut], x[:cut], tail[0], reverse=True)
    np.testing.assert_allclose(jnp.concatenate([head, tail]), linear_recurrence(a, x, h0, reverse=True), atol=1e-5)


def copies_in_loops(f, a, x):
    "How many copies of an array as large as x the bodies of the compiled program's loops hold, and how many loops it has."
    text = jax.jit(f).lower(a, x).compile().as_text()
    bodies = set(re.findall(r"body=(%[\w.\-]+)", text))
    inside = [part for part in re.split(r"\n(?=%|ENTRY)", text) if part.split(" ")[0] in bodies]
    shape = re.escape(",".join(map(str, x.shape)))
    return sum(len(re.findall(rf"= \w+\[{shape}\]\S* copy\(", part)) for part in inside), len(bodies)


def vjp(f):
    return lambda a, x: jax.vjp(f, a, x)[1](2 * x)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="reads the program that XLA makes for a CPU")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_loop_copies_nothing(dtype, reverse):
    x = jnp.ones((3, 37, 5), dtype)
    batch = jax.vmap(lambda a, x: linear_recurrence(a, x, reverse=reverse))
    assert copies_in_loops(batch, x, x) == (0, 1)
    assert copies_in_loops(vjp(batch), x, x) == (0, 2)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="reads the program that XLA makes for a CPU")
def test_copies_would_be_seen():
    def careless(a, x):  # writes over what it still has to read
        step = lambda t, c: (a[t] * (x_t := c[1][t] + c[0]), c[1].at[t].set(x_t))
        return jax.lax.fori_loop(0, len(x), step, (x[0], x))[1]

    x = jnp.ones((37, 5))
    assert copies_in_loops(careless, x, x)[0] > 0


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_a_reset_stops_nan_and_infinity(method, bad, reverse):
    "In inputs, multipliers and the state before, and in both gradients; the numbers after it are those of a clean document."
    a, x, h0 = arrays(0, 12, (3,))
    first, after = (slice(7, None), slice(0, 7)) if reverse else (slice(0, 5), slice(5, None))
    reset = jnp.arange(12) == (6 if reverse else 5)
    run = lambda a, x, h0: linear_recurrence(a, x, h0, reverse=reverse, reset=reset, method=method)[after]
    loss = lambda a, x, h0: jnp.sum(jnp.cos(run(a, x, h0)))
    for dirty in ((a, x.at[first].set(bad), h0), (a.at[first].set(bad), x, h0), (a, x, h0.at[0].set(bad))):
        np.testing.assert_array_equal(run(*dirty), run(a, x, h0))
        for mine, clean in zip(jax.grad(loss, (0, 1))(*dirty), jax.grad(loss, (0, 1))(a, x, h0)):
            np.testing.assert_array_equal(mine[after], clean[after])


def test_without_a_reset_zero_times_infinity_is_not_a_number():
    assert jnp.isnan(linear_recurrence(jnp.zeros(3), jnp.array([jnp.inf, 1, 1]))[1])
