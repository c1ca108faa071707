"""One protocol for every recurrent layer: whole == chunks == steps, resets == separate documents, from any state."""
from typing import get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, random

from recurrent_lab.models.attention import LocalAttention
from recurrent_lab.models.griffin import RecurrentBlock, ResidualBlock
from recurrent_lab.models.griffin_config import small_config
from recurrent_lab.models.linear_memory import LinearMemory
from recurrent_lab.models.lru import LRU, Form
from recurrent_lab.models.recurrent_transformer import RecurrentTransformerLayer
from recurrent_lab.models.rglru import RGLRU, TemporalConv
from recurrent_lab.models.rnn import RNN, Init
from recurrent_lab.models.sequence import recurrence_labels

WIDTH = 4
GRIFFIN = small_config(8, width=WIDTH, num_heads=1, window=6)
LAYERS = {f"LRU {form}": LRU(WIDTH, 6, form=form, r_min=0.5, r_max=0.99, key=random.key(3)) for form in get_args(Form)}
LAYERS |= {f"RNN {init}": RNN(WIDTH, WIDTH, init=init, key=random.key(3)) for init in get_args(Init)}
LAYERS |= {f"linear memory {phase}": LinearMemory(WIDTH, WIDTH, 6, 8, r_min=0.5, max_phase=phase, key=random.key(3)) for phase in (0, 3)}
LAYERS |= {"RG-LRU": RGLRU(WIDTH, blocks=2, key=random.key(3)), "CG-LRU": RGLRU(WIDTH, only_real=False, key=random.key(3)),
           "convolution": TemporalConv(WIDTH, key=random.key(3)), "attention": LocalAttention(WIDTH, 1, 6, key=random.key(3)),
           "recurrent block": RecurrentBlock(GRIFFIN, key=random.key(3)),
           "residual block": ResidualBlock(GRIFFIN, "attention", key=random.key(3))}
LAYERS |= {"recurrent Transformer": RecurrentTransformerLayer(WIDTH, 2, 6, key=random.key(3)),
           "Transformer": RecurrentTransformerLayer(WIDTH, 2, 6, recurrent=False, key=random.key(3))}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_protocol(layer, T=23, cut=9):
    close = lambda a, b: jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), a, b)
    call, x = eqx.filter_jit(layer), random.normal(random.key(4), (T, WIDTH))
    _, start = call(random.normal(random.key(5), (7, WIDTH)))
    assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(start))
    whole, end = call(x, start)
    assert whole.shape == x.shape

    first, mid = call(x[:cut], start)
    second, last = call(x[cut:], mid)
    close(whole, jnp.concatenate([first, second])); close(end, last)

    last, steps = lax.scan(lambda state, x_t: layer.step(x_t, state)[::-1], start, x)
    close(whole, steps); close(end, last)

    reset = jnp.isin(jnp.arange(T), jnp.array([cut, cut + 5]))
    packed, end = call(x, start, reset)
    b, _ = call(x[cut : cut + 5])
    c, last = call(x[cut + 5 :], layer.init_state())
    close(packed, jnp.concatenate([first, b, c])); close(end, last)

    empty, state = layer(x[:0], start)
    assert empty.shape == (0, WIDTH); close(state, start)


@pytest.mark.parametrize("name, own, rest", [
    ("LRU lru", {"nu_log", "theta_log", "gamma_log", "B_re", "B_im"}, {"C_re", "C_im", "D"}),
    ("LRU tanh", {"A", "B_re"}, {"C_re", "D"}),
    ("linear memory 3", {"nu_log", "theta", "B_re", "B_im"}, {"mlp"}),
    ("RNN smart tanh", {"W_rec", "W_in"}, {"b"}),
    ("RG-LRU", {"a_param", "input_gate", "a_gate"}, set()),
    ("CG-LRU", {"a_param", "a_imag_param", "input_gate", "a_gate"}, set()),
    ("recurrent block", {"rg_lru"}, {"linear_x", "linear_y", "linear_out", "conv_1d"})])
def test_a_recurrence_knows_its_own(name, own, rest):
    said = {}
    for path, label in jax.tree_util.tree_leaves_with_path(recurrence_labels(LAYERS[name])): said.setdefault(path[0].name, set()).add(label)
    assert said == {field: {"recurrence"} for field in own} | {field: {"rest"} for field in rest}


@pytest.mark.parametrize("name", ["attention", "convolution", "Transformer"])
def test_what_is_no_recurrence_is_told(name):
    with pytest.raises(ValueError, match="no recurrence"): recurrence_labels(LAYERS[name])
