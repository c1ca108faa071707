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
from recurrent_lab.probes import certificates, margin, spectrum
from recurrent_lab.tasks import groups, modular, parity, permutations, representations

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
