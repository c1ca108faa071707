"""Ours and the official package on the same weights: logits, gradients, caches, decoding, packing, padding."""
from dataclasses import asdict
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from recurrent_lab.models import Griffin, GriffinConfig, RGLRU, cast, from_flax, from_torch
from recurrent_lab.models import load_griffin, save_orbax, to_flax, to_torch

common = pytest.importorskip("recurrentgemma.common", reason="the official package is in the extra `peers`")
from recurrentgemma.jax import griffin as official  # noqa: E402

R, A = common.TemporalBlockType.RECURRENT, common.TemporalBlockType.ATTENTION
SIZES = dict(vocab_size=32, width=24, mlp_expanded_width=48, num_heads=2, attention_window_size=5)
GEMMA = dict(embeddings_scale_by_sqrt_dim=True, logits_soft_cap=30.0)  # √24 is not a bfloat16: its rounding counts
PAPER = dict(embeddings_scale_by_sqrt_dim=False, logits_soft_cap=0.0)
CONFIGS = {"RecurrentGemma": common.GriffinConfig(**SIZES, **GEMMA, block_types=(R, A)),
           "Griffin of the paper": common.GriffinConfig(**SIZES, **PAPER, block_types=(R, A), lru_width=32),
           "Hawk": common.GriffinConfig(**SIZES, **PAPER, block_types=(R, R), lru_width=32)}
T, MORE, WINDOW = 15, 8, SIZES["attention_window_size"]
# One sequence from its beginning, one of two packed documents, one after padding.
PLACES = jnp.array([range(T), [*range(9), *range(T - 9)], [*[-1] * 4, *range(T - 4)]])
ENDS = np.array(PLACES)[:, -1] + 1                                  # tokens of the last document
close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)


def ours(config):
    return GriffinConfig(**config._asdict())


def peer(config, **options):
    "The official model; its associative scan compiles in seconds where its default takes a minute."
    config = config._replace(scan_type=common.ScanType.ASSOCIATIVE_NATIVE)
    return official.Griffin(config, gradient_checkpointing=False, **options)


def noisy(tree, key):
    leaves, structure = jax.tree.flatten(tree)
    keys = random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [p + 0.1 * random.normal(k, p.shape) for p, k in zip(leaves, keys)])


def loss(logits, tokens):
    "Mean negative log-likelihood of the next token within documents."
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits[:, :-1]), tokens[:, 1:, None], axis=-1)[..., 0]
    return -(log_p * (PLACES[:, 1:] > 0)).mean()


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda name: name.replace(" ", "_"))
def both(request):
    "What each says about the same three sequences: (logits, state) and gradients of the loss."
    config = CONFIGS[request.param]
    model = noisy(Griffin(ours(config), key=random.key(0)), random.key(1))
    params, tokens, theirs = to_flax(model), random.randint(random.key(2), (3, T), 0, 32), peer(config)

    @partial(jax.value_and_grad, has_aux=True)
    def theirs_of(params):
        logits, cache = theirs.apply({"params": params}, tokens, PLACES)
        return loss(logits, tokens), (logits, cache)

    @partial(jax.value_and_grad, has_aux=True)
    def ours_of(model):
        logits, state = jax.vmap(model)(tokens, PLACES)
        return loss(logits, tokens), (logits, state)

    (_, mine), my_grads = jax.jit(ours_of)(model)
    (_, other), their_grads = jax.jit(theirs_of)(params)
    return dict(config=config, model=model, params=params, theirs=theirs, mine=mine, other=other,
                grads=(my_grads, their_grads))


def assert_same_state(state, cache):
    for i, mine in enumerate(state):
        other = cache[f"blocks.{i}"]
        if hasattr(mine, "rg_lru"):
            close(mine.rg_lru.h, other.rg_lru_state)
            close(mine.conv_1d, other.conv1d_state)
            continue
        assert (mine.num_tokens == other.num_tokens).all()
        for row, n in enumerate(np.array(other.num_tokens)):
            last = np.arange(max(0, n - WINDOW), n)                 # the document's last tokens, each in its slot
            close(mine.keys[row, last % (WINDOW + 1)], other.keys[row, last % WINDOW, 0])
            close(mine.values[row, last % (WINDOW + 1)], other.values[row, last % WINDOW, 0])


def test_logits(both):
    real = np.array(PLACES) >= 0
    close(np.array(both["mine"][0])[real], np.array(both["other"][0])[real])


def test_gradients(both):
    mine, theirs = to_flax(both["grads"][0]), both["grads"][1]
    assert jax.tree.structure(mine) == jax.tree.structure(theirs)
    jax.tree.map(close, mine, theirs)
    assert min(float(jnp.abs(g).max()) for g in jax.tree.leaves(theirs)) > 1e-4      # every parameter counts


def test_caches(both):
    assert_same_state(both["mine"][1], both["other"][1])


def test_decoding(both):
    "Eight more tokens: theirs one at a time, ours one at a time and all at once."
    model, theirs, (_, cache), (_, start) = both["model"], both["theirs"], both["other"], both["mine"]
    tokens = random.randint(random.key(3), (3, MORE), 0, 32)
    apply = jax.jit(partial(theirs.apply, {"params": both["params"]}))
    expected = []
    for i in range(MORE):
        logits, cache = apply(tokens[:, i : i + 1], (ENDS + i)[:, None], cache)
        expected.append(logits[:, 0])
    steps = lambda tokens, state: jax.lax.scan(lambda s, t: model.step(t, s)[::-1], state, tokens)[::-1]
    stepped, state = eqx.filter_jit(jax.vmap(steps))(tokens, start)
    close(stepped, jnp.stack(expected, axis=1))
    assert_same_state(state, cache)
    chunk, state = eqx.filter_jit(jax.vmap(lambda tokens, state: model(tokens, state=state)))(tokens, start)
    close(chunk, jnp.stack(expected, axis=1))
    assert_same_state(state, cache)


def test_weights_there_and_back(both):
    model = from_flax(ours(both["config"]), {"params": both["params"]})
    back = to_flax(model)
    assert jax.tree.structure(back) == jax.tree.structure(both["params"])
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), back, both["params"]))
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), model, both["model"]))


@pytest.mark.filterwarnings("ignore:Sharding info")
def test_orbax_folders_there_and_back(both, tmp_path):
    from orbax.checkpoint import PyTreeCheckpointer
    PyTreeCheckpointer().save(tmp_path / "theirs", {"params": both["params"]})
    model = load_griffin(tmp_path / "theirs", ours(both["config"]))
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), model, both["model"]))
    save_orbax(tmp_path / "ours", model)
    back = PyTreeCheckpointer().restore(tmp_path / "ours")["params"]
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), back, both["params"]))


def test_the_torch_model_on_our_weights(both):
    torch = pytest.importorskip("torch", reason="torch is in the extra `bench`")
    from recurrentgemma.torch.griffin import Griffin as TorchGriffin
    theirs = TorchGriffin(both["config"])
    theirs.load_state_dict({name: torch.from_numpy(np.array(w)) for name, w in to_torch(both["model"]).items()})
    tokens = random.randint(random.key(2), (1, T), 0, 32)
    with torch.no_grad(): logits, _ = theirs(torch.from_numpy(np.array(tokens)), torch.arange(T)[None])
    close(eqx.filter_jit(both["model"])(tokens[0])[0], logits[0].numpy())
    back = from_torch(ours(both["config"]), theirs.state_dict())
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), back, both["model"]))


def test_dtypes_and_values_in_bfloat16():
    config = CONFIGS["RecurrentGemma"]
    model = noisy(Griffin(ours(config), key=random.key(0)), random.key(1))
    tokens, place = random.randint(random.key(2), (1, T), 0, 32), jnp.arange(T)[None]
    exact = jax.jit(jax.vmap(model))(tokens)[0]
    half = cast(model, jnp.bfloat16)
    theirs, cache = jax.jit(lambda params: peer(config).apply({"params": params}, tokens, place))(to_flax(half))
    mine, state = jax.jit(jax.vmap(half))(tokens)
    error = lambda logits: float(jnp.sqrt(((logits - exact) ** 2).mean() / (exact**2).mean()))
    assert error(mine) < 1.25 * error(theirs) < 0.1                  # rounded as often as theirs
    assert mine.dtype == theirs.dtype == jnp.bfloat16
    recurrent, attention = cache["blocks.0"], cache["blocks.1"]
    assert (state[0].rg_lru.h.dtype, state[0].conv_1d.dtype, state[1].keys.dtype) == \
           (recurrent.rg_lru_state.dtype, recurrent.conv1d_state.dtype, attention.keys.dtype)


def test_initial_values_have_the_official_spread():
    sizes = dict(SIZES, vocab_size=256, width=128, mlp_expanded_width=384, num_heads=2)
    config = common.GriffinConfig(**sizes, **GEMMA, block_types=(R, A), lru_width=192)
    tokens = jnp.zeros((1, 2), int)
    theirs = jax.jit(peer(config).init)(random.key(0), tokens, tokens)["params"]
    mine = to_flax(Griffin(ours(config), key=random.key(1)))
    def same(path, a, b):
        if a.std() == 0: return np.testing.assert_array_equal(a, b)
        tolerance = 6 / np.sqrt(a.size)                              # six standard errors of the ratio below
        assert abs(a.std() / b.std() - 1) < tolerance, f"{jax.tree_util.keystr(path)}: {a.std()} and {b.std()}"
        assert abs(a.mean() - b.mean()) < 2 * tolerance * a.std(), jax.tree_util.keystr(path)
    jax.tree_util.tree_map_with_path(same, mine, theirs)


def test_the_complex_unit():
    "From the beginning: given a state, the official scan accumulates in float32 and drops the imaginary parts."
    from recurrentgemma.jax.layers import RGLRU as Official

    from recurrent_lab.models.griffin_names import nested, paths
    layer = noisy(RGLRU(8, blocks=2, only_real=False, key=random.key(0)), random.key(1))
    theirs = Official(8, num_heads=2, only_real=False, scan_type=common.ScanType.ASSOCIATIVE_NATIVE)
    x, place = random.normal(random.key(2), (1, T, 8)), PLACES[1:2]
    y, h = jax.jit(theirs.apply)({"params": nested(paths(layer))}, x, place)
    mine, state = eqx.filter_jit(layer)(x[0], None, place[0] == 0)
    close(mine, y[0])
    close(state.h, h[0])


def test_one_configuration_serves_both():
    config = CONFIGS["RecurrentGemma"]
    mine = asdict(GriffinConfig(**config._asdict()))
    assert set(config._fields) <= set(mine)
    assert mine["block_types"] == ("recurrent", "attention") and mine["scan_type"] == "auto"
