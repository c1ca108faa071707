"""Groups, parities and margins beyond their notebooks: random groups, random nets, and no two public names alike."""
import importlib
import math
import pkgutil
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurrent_lab.models
from recurrent_lab.models import MLP, PairNet, ParityTransformer, PolyNet
from recurrent_lab.papers import hidden_progress, margin_maximization
from recurrent_lab.probes import certificates, margin, spectrum
from recurrent_lab.tasks import groups, modular, parity, permutations, representations
from recurrent_lab.training import cross_entropy

small_groups = st.recursive(
    st.one_of(st.integers(1, 7).map(groups.cyclic), st.integers(1, 5).map(groups.dihedral),
              st.integers(1, 3).map(groups.symmetric)),
    lambda inner: st.tuples(inner, inner).map(lambda pair: groups.product(*pair)),
    max_leaves=3).filter(lambda G: len(G) <= 48)


def test_public_names_of_the_models_are_different():
    models = recurrent_lab.models
    modules = [importlib.import_module(f"{models.__name__}.{m.name}") for m in pkgutil.iter_modules(models.__path__)]
    starred = [name for m in modules for name in m.__all__ if getattr(models, name, None) is not None]
    assert [name for name, times in Counter(starred).items() if times > 1] == []


# --- groups


@settings(max_examples=25, deadline=None)
@given(small_groups)
def test_any_product_is_a_group_and_its_representations_are_complete(G):
    assert groups.is_group(G)
    reps = representations.irreps(G)
    chi = representations.characters(reps)
    kind = representations.commutant_dimension(chi)
    assert np.allclose(reps[0], 1) and np.allclose(chi @ chi.T / len(G), np.diag(kind), atol=1e-9)
    assert np.isclose((chi[:, 0] ** 2 / kind).sum(), len(G))
    for rho in reps: assert np.allclose(rho[:, None] @ rho[None], rho[G], atol=1e-9)
    classes = groups.conjugacy_classes(G)
    first = np.unique(classes, return_index=True)[1]
    assert np.allclose(chi, chi[:, first][:, classes], atol=1e-9)           # constant on classes
    real = len({frozenset((c, classes[groups.inverse(G)[a]])) for a, c in enumerate(classes)})
    assert len(reps) == real                                                # as many as classes, a with a⁻¹


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.permutations(range(6)))
def test_permutations_are_those_of_their_matrices(p, q):
    p, q = np.array(p), np.array(q)
    matrix = lambda p: np.eye(6)[:, p]
    assert (matrix(permutations.compose(p, q)) == matrix(p) @ matrix(q)).all()
    assert (matrix(permutations.inverse(p)) == matrix(p).T).all()
    assert math.isclose(permutations.sign(p), np.linalg.det(matrix(p)))
    assert (permutations.permutations(6)[permutations.rank(p)] == p).all()


def test_the_symmetric_group_on_six_by_both_roads():
    chi = representations.characters(representations.irreps(groups.symmetric(6)))
    exact = margin.character_sum(representations.symmetric_characters(6))
    assert math.isclose(margin.character_sum(chi), exact, rel_tol=1e-9)


@pytest.mark.parametrize("call", [
    lambda: groups.symmetric(7), lambda: permutations.permutations(10), lambda: modular.modular_equations("x + y", 1),
    lambda: parity.parity(jnp.ones(3), (3,)), lambda: margin.group_optimum([2, 1]), lambda: spectrum.walsh_transform(jnp.ones(3)),
    lambda: margin.character_sum(np.zeros((2, 2))), lambda: certificates.cyclic_net(6)])
def test_what_is_not_there_is_refused_with_what_is_allowed(call):
    with pytest.raises(ValueError, match=r"allowed|must be|is that of|has 2\^n"): call()


# --- margins


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 5, 7]))
def test_no_net_has_more_than_the_largest_margin(seed, p):
    net = PairNet(p, 12, key=jax.random.key(seed))
    noise = PairNet(p, 4 * (p - 1), key=jax.random.key(seed))
    near = jax.tree.map(lambda best, noise: best + 0.05 * noise, certificates.cyclic_net(p), noise)
    for one in (net, near):
        reached = margin.normalized_margin(one.table(), groups.cyclic(p), one.neurons())
        assert reached <= margin.cyclic_optimum(p) * (1 + 1e-5)


def test_the_margin_of_the_largest_group():
    "On six rows of the table, 6 · 120² answers of 1,190 neurons: by the symmetry of the group all rows are alike."
    G, rows = groups.symmetric(5), np.array([0, 1, 17, 64, 99, 119])
    with jax.enable_x64():
        net = certificates.group_net(representations.irreps(G))
        u, v, w = (np.asarray(part) for part in (net.u, net.v, net.w))
        f = np.stack([((u[:, a, None] + v) ** 2).T @ w for a in rows])
        measured = float(margin.normalized_margin(jnp.asarray(f), G[rows], net.neurons()))
    best = margin.group_optimum([1, 1, 4, 4, 5, 5, 6])
    assert len(net.u) == 1190 and math.isclose(measured, best, rel_tol=1e-12)
    assert math.isclose(measured, 1.32597749e-4, rel_tol=1e-7)


# --- nets


@pytest.mark.parametrize("make", [
    lambda key: MLP(6, 5, key=key), lambda key: MLP(6, 1, init="sparse", readout=False, key=key),
    lambda key: PolyNet(6, 3, init="sign", key=key),
    lambda key: ParityTransformer(6, width=8, heads=2, head_size=4, key=key)])
def test_a_population_is_its_members(make):
    keys, x = jax.random.split(jax.random.key(0), 3), parity.cube(6)
    together = jax.vmap(lambda key: jax.vmap(make(key))(x))(keys)
    assert together.shape == (3, 64) and jnp.isfinite(together).all()
    for i, key in enumerate(keys): assert jnp.allclose(jax.vmap(make(key))(x), together[i], atol=1e-5)


# --- what the studies of parities and margins define


def test_the_relevant_bits_have_moved_three_times_as_far():
    W_0 = jax.random.normal(jax.random.key(0), (50, 10))
    W = W_0 + jnp.where(jnp.arange(10) < 2, 0.3, -0.1)
    assert jnp.allclose(hidden_progress.bit_movement(W, W_0), jnp.where(jnp.arange(10) < 2, 0.3, 0.1), rtol=1e-4)
    for n in (10, 7):                                        # the other three are no bits of a run with seven
        assert jnp.allclose(hidden_progress.relative_movement(hidden_progress.bit_movement(W, W_0), n, 2), 3, rtol=1e-4)


def test_runs_of_every_size_have_their_own_parity():
    x, y = hidden_progress.parity_points(64, 9, {"n": 6, "k": 3, "noise": 0.0}, key=jax.random.key(0))
    assert (x[:, 6:] == 0).all() and (jnp.abs(x[:, :6]) == 1).all() and (y == parity.parity(x, (0, 1, 2))).all()
    _, flipped = hidden_progress.parity_points(64, 9, {"n": 6, "k": 3, "noise": 1.0}, key=jax.random.key(0))
    assert (flipped == -y).all()


def test_polynet_follows_its_flow():
    "The gradient by enumeration, three factors of three bits; Euler's method; and an error counted on 100,000 points."
    x = parity.cube(9).reshape(-1, 3, 3)
    W = jnp.tile(jnp.array([1.7, -1.0, 1.0]), (3, 1))
    correlation = lambda W: (hidden_progress.factor_products(W, x) * x[:, :, 0].prod(1)).mean()
    assert jnp.allclose(jax.grad(correlation)(W), jnp.array([1.7**2, 0, 0]), atol=1e-5)
    for k in (3, 4):
        v, dt = 1.0, 1e-4 / (k - 2)
        for _ in range(5000): v += dt * v ** (k - 1)
        assert math.isclose(v, hidden_progress.flow_weight(0.5 / (k - 2), k), rel_tol=1e-3)
    x, y = hidden_progress.factor_points(100_000, 21, 21, key=jax.random.key(0))
    W = jnp.ones((3, 21)).at[:, 0].set(7.3)
    wrong = (jnp.sign(hidden_progress.factor_products(W, x)) != y).mean()
    assert abs(wrong - hidden_progress.sign_error(np.array(7.3), 21, 3)) < 6 * (0.25 / 100_000) ** 0.5


@pytest.mark.parametrize("n", [3, 4])
def test_the_regularised_loss_of_a_group_is_that_of_a_network(n):
    "L(P) is the loss of the network of Theorem 9 whose neurons are scaled to P, and P is where it is least."
    G = groups.symmetric(n)
    reps = representations.irreps(G)
    chi, lam = representations.characters(reps), 1e-4
    P = margin_maximization.regularized_norms(chi, lam)
    with jax.enable_x64():
        net = certificates.group_net(reps)
        own = np.asarray(spectrum.irrep_shares(net.w, reps)).argmax(1) - 1                  # of each neuron
        part = np.asarray(margin.contributions(net.neurons()) * margin.norm(net.neurons()) ** 3)
        def loss(P):
            scale = np.cbrt(P / np.bincount(own, part))[own][:, None]
            scaled = jax.tree.map(lambda x: x * scale, net)
            return float(cross_entropy(scaled.table(), G)) + lam * float(margin.norm(scaled.neurons()) ** 3)
        a = 2 * (3 * len(G) * chi[1:, 0]) ** -1.5
        formula = np.log(np.exp((P * a) @ (chi[1:] - chi[1:, :1])).sum()) + lam * P.sum()
        assert math.isclose(loss(P), formula, rel_tol=1e-9)
        for i in range(len(P)):
            for factor in (0.97, 1.03): assert loss(P * np.where(np.arange(len(P)) == i, factor, 1)) > formula
