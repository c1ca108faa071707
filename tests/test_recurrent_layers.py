"""One protocol for every recurrent layer: whole == chunks == steps, resets == separate documents, from any state."""
from functools import partial
from typing import get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, random

from recurrent_lab.models.attention import LocalAttention
from recurrent_lab.models.delta_net import DeltaNet
from recurrent_lab.models.gated_rnn import GRU, LSTM
from recurrent_lab.models.griffin import RecurrentBlock, ResidualBlock
from recurrent_lab.models.griffin_config import small_config
from recurrent_lab.models.linear_memory import LinearMemory
from recurrent_lab.models.lru import LRU, Form
from recurrent_lab.models.mamba2 import Mamba2
from recurrent_lab.models.minimal_rnn import MinGRU, MinLSTM
from recurrent_lab.models.mlstm import MLSTM
from recurrent_lab.models.recurrence import linear_recurrence
from recurrent_lab.models.recurrent_transformer import RecurrentTransformerLayer
from recurrent_lab.models.rglru import RGLRU, TemporalConv
from recurrent_lab.models.rnn import RNN, Init
from recurrent_lab.models.sequence import SequenceModel, recurrence_labels
from recurrent_lab.models.state_space import S4D, S5

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


def moved(layer):
    "Every parameter moved away from its initial value, so that none is zero."
    leaves, structure = jax.tree.flatten(layer)
    moves = zip(leaves, random.split(random.key(2), len(leaves)))
    return jax.tree.unflatten(structure, [p + 0.2 * random.normal(k, p.shape) if eqx.is_array(p) else p for p, k in moves])


heads = dict(heads=2, key_dim=3, value_dim=2, chunk=5, key=random.key(3))
NEW = {"minGRU": MinGRU(WIDTH, WIDTH, key=random.key(3)), "minLSTM": MinLSTM(WIDTH, WIDTH, key=random.key(3)),
       "GRU": GRU(WIDTH, WIDTH, key=random.key(3)), "LSTM": LSTM(WIDTH, WIDTH, key=random.key(3)),
       "S4D": S4D(WIDTH, 3, start="inv", key=random.key(3)), "S5": S5(WIDTH, 6, blocks=2, key=random.key(3)),
       "Mamba-2": Mamba2(WIDTH, **heads), "DeltaNet": DeltaNet(WIDTH, **heads), "mLSTM": MLSTM(WIDTH, **heads),
       "Gated DeltaNet": DeltaNet(WIDTH, gated=True, negative=True, **heads)}
LAYERS |= {name: moved(layer) for name, layer in NEW.items()}
BY_GRADIENT = [*NEW, "LRU lru", "linear memory 3", "RG-LRU", "CG-LRU"]            # what a network is built of
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True,
         "xla_cpu_use_fusion_emitters": False}                                    # these tests compile, and hardly run


def close(a, b, tolerance=1e-4):
    "Leaf by leaf, relative to the largest entry of the leaf."
    for a, b in zip(map(np.asarray, jax.tree.leaves(a)), map(np.asarray, jax.tree.leaves(b)), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * (0.1 + np.abs(b[np.isfinite(b)]).max(initial=0)))


def resets_drop_nan(call, arrays, x, start, reset, at, summed=False):
    """What comes after the last reset, outputs and state, is the same bit for bit with NaN or ∞ in the state and the documents before;
    to rounding if `summed`, of layers that take differences of sums that begin before the reset."""
    y, end = call(arrays, x, start, reset)
    for bad in (np.nan, np.inf):
        lost = jax.tree.map(lambda s: s * bad if jnp.issubdtype(s.dtype, jnp.inexact) else s, start)
        for wrong, state in ((x.at[at - 1].set(bad), start), (x.at[:at].set(bad), start), (x, lost)):
            mine, after = call(arrays, wrong, state, reset)
            if summed: close((mine[at:], after), (y[at:], end), 1e-6)
            else: assert all(map(np.array_equal, jax.tree.leaves((mine[at:], after)), jax.tree.leaves((y[at:], end))))


def apart(layer):
    "The arrays of a layer, and what makes a layer of them."
    arrays, rest = eqx.partition(layer, eqx.is_array)
    return arrays, lambda arrays: eqx.combine(arrays, rest)


def stepped(layer, x, start, reset):
    "Step by step; a reset is a state from before the first step."
    def advance(state, now):
        x_t, new = now
        state = jax.tree.map(lambda fresh, s: jnp.where(new, fresh, s), layer.init_state(), state)
        return layer.step(x_t, state)[::-1]
    end, y = lax.scan(advance, start, (x, reset))
    return y, end


def in_pieces(call, arrays, x, state, begin, size):
    "The pieces of x one after the other, and each but the first as a document of its own: outputs and last state of both."
    chunks, documents, alone = [], [], state
    for part in np.split(x, len(x) // size):
        (y, state), (z, after) = call(arrays, part, state), call(arrays, part, alone)
        chunks.append(y); documents.append(z)
        alone = begin
    return (np.concatenate(chunks), state), (np.concatenate(documents), after)


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in BY_GRADIENT])
def test_protocol(name, T=24, size=8):
    "Whole == chunks == steps, from any state; what is packed by resets == its documents."
    arrays, layer = apart(LAYERS[name])
    call = jax.jit(lambda arrays, *given: layer(arrays)(*given), compiler_options=QUICK)
    steps = jax.jit(lambda arrays, *given: stepped(layer(arrays), *given), compiler_options=QUICK)
    x, begin = random.normal(random.key(4), (T, WIDTH)), LAYERS[name].init_state()
    none, reset = np.zeros(T, bool), np.isin(np.arange(T), [size, 2 * size])
    _, start = call(arrays, random.normal(random.key(5), (size, WIDTH)), begin)
    assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(start))

    whole, packed = call(arrays, x, start, none), call(arrays, x, start, reset)
    assert whole[0].shape == x.shape and jax.tree.map(jnp.shape, whole[1]) == jax.tree.map(jnp.shape, start)
    close(whole, steps(arrays, x, start, none)); close(packed, steps(arrays, x, start, reset))
    chunks, documents = in_pieces(call, arrays, x, start, begin, size)
    close(whole, chunks); close(packed, documents)
    close(call(arrays, x[:0], start), (x[:0], start))
    if name != "recurrent Transformer" and name != "Transformer": resets_drop_nan(call, arrays, x, start, reset, 2 * size)


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_protocol_with_gradients_and_batches_in_float64(name, T=12, size=4):
    """The same of a batch of two sequences in float32, of which one has resets; outputs, last states and gradients
    are those of the same layer in float64, one sequence and one step at a time."""
    arrays, layer = apart(LAYERS[name])
    call = jax.jit(lambda arrays, *given: layer(arrays)(*given), compiler_options=QUICK)
    x, begin = random.normal(random.key(4), (2, T, WIDTH)), LAYERS[name].init_state()
    reset = np.array([np.zeros(T, bool), np.isin(np.arange(T), [size, 2 * size])])
    first, start = call(arrays, x[1, :size], begin)
    close((first, start), call(arrays, x[1, :size]))                                # no state is the one before the first step
    assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(start))

    def loss(given, run):
        arrays, x, start = given
        y, end = run(layer(arrays), x, start, reset)
        ends = [jnp.abs(leaf) ** 2 for leaf in jax.tree.leaves(end) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        return jnp.cos(y).sum() + sum(map(jnp.sum, ends)), (y, end)

    def gradient(run):
        both = eqx.filter_value_and_grad(partial(loss, run=run), has_aux=True)
        return jax.jit(lambda given: both(given), compiler_options=QUICK)

    batch = lambda layer, x, start, reset: jax.vmap(layer, (0, None, 0))(x, start, reset)
    one_by_one = lambda layer, x, start, reset: lax.map(lambda now: stepped(layer, now[0], start, now[1]), (x, reset))
    (_, mine), my_gradient = gradient(batch)((arrays, x, start))
    double = {jnp.dtype("float32"): "float64", jnp.dtype("complex64"): "complex128"}
    with jax.enable_x64():
        wide = jax.tree.map(lambda v: v.astype(double.get(v.dtype, v.dtype)), (arrays, x, start))
        (_, exact), exact_gradient = gradient(one_by_one)(wide)
    assert mine[0].dtype == jnp.float32 and exact[0].dtype == jnp.float64
    close(mine, exact); close(my_gradient, exact_gradient, 1e-3)
    for i in range(2): close(jax.tree.map(lambda leaf: leaf[i], mine), in_pieces(call, arrays, x[i], start, begin, size)[i])
    close(call(arrays, x[0, :0], start), (x[0, :0], start))
    resets_drop_nan(call, arrays, x[1], start, reset[1], 2 * size, summed=name in ("Mamba-2", "mLSTM"))


@pytest.mark.parametrize("name", NEW)
def test_bfloat16(name, T=5):
    "Parameters and inputs in bfloat16: so are the outputs, while the state is kept in float32, by a call and by steps."
    layer = jax.tree.map(lambda p: p.astype(jnp.bfloat16), LAYERS[name])
    x, reset, start = jax.ShapeDtypeStruct((T, WIDTH), jnp.bfloat16), np.zeros(T, bool), layer.init_state()
    for y, end in (jax.eval_shape(layer, x, start), jax.eval_shape(partial(stepped, layer, reset=reset), x, start)):
        kept = {leaf.dtype.name for leaf in jax.tree.leaves(end._replace(conv=None) if hasattr(end, "conv") else end)}
        assert y.dtype == jnp.bfloat16 and kept <= {"float32", "complex64"}


def test_drop_in_for_the_lru():
    "In a SequenceModel, by shapes alone; its recurrence is told apart by the names of its parameters."
    for layer in NEW.values():
        make = partial(SequenceModel, 3, 2, WIDTH, 2, lambda *, key: layer, norm="layer")
        model, stats = eqx.filter_eval_shape(lambda key: eqx.nn.make_with_state(make)(key=key), random.key(0))
        y, _, states = eqx.filter_eval_shape(eqx.nn.inference_mode(model), jax.ShapeDtypeStruct((6, 3), jnp.float32), stats)
        assert y.shape == (2,) and jax.tree.structure(states) == jax.tree.structure([layer.init_state()] * 2)
        assert "recurrence" in jax.tree.leaves(recurrence_labels(layer))


@pytest.mark.parametrize("name, own, rest", [
    ("LRU lru", {"nu_log", "theta_log", "gamma_log", "B_re", "B_im"}, {"C_re", "C_im", "D"}),
    ("LRU tanh", {"A", "B_re"}, {"C_re", "D"}),
    ("linear memory 3", {"nu_log", "theta", "B_re", "B_im"}, {"mlp"}),
    ("RNN smart tanh", {"W_rec", "W_in"}, {"b"}),
    ("RG-LRU", {"a_param", "input_gate", "a_gate"}, set()),
    ("CG-LRU", {"a_param", "a_imag_param", "input_gate", "a_gate"}, set()),
    ("S5", {"A", "B_re", "B_im"}, {"C_re", "C_im", "D"}),
    ("GRU", {"W_rec", "W_in"}, {"b", "b_n"}),
    ("minLSTM", {"input_gate", "a_gate"}, {"candidate"}),
    ("Mamba-2", {"a_param", "a_gate"}, {"proj_in", "proj_out", "conv", "norm", "D"}),
    ("Gated DeltaNet", {"a_param", "a_gate", "input_gate"}, {"proj_in", "proj_gate", "proj_out", "conv", "norm"}),
    ("recurrent block", {"rg_lru"}, {"linear_x", "linear_y", "linear_out", "conv_1d"})])
def test_a_recurrence_knows_its_own(name, own, rest):
    said = {}
    for path, label in jax.tree_util.tree_leaves_with_path(recurrence_labels(LAYERS[name])): said.setdefault(path[0].name, set()).add(label)
    assert said == {field: {"recurrence"} for field in own} | {field: {"rest"} for field in rest}


@pytest.mark.parametrize("name", ["attention", "convolution", "Transformer"])
def test_what_is_no_recurrence_is_told(name):
    with pytest.raises(ValueError, match="no recurrence"): recurrence_labels(LAYERS[name])


def test_what_would_be_lost_is_refused():
    with pytest.raises(TypeError, match="h0 is complex"): linear_recurrence(np.ones(2), np.ones((3, 2)), 1j * np.ones(2))
    with pytest.raises(ValueError, match="max_phase must be from 0 on, in radians, given -1"): LRU(4, 6, max_phase=-1, key=random.key(0))
    both_ways = eqx.filter_eval_shape(lambda: LRU(4, 6, bidirectional=True, key=random.key(0))(jnp.zeros((0, 4)))[0])
    assert both_ways.shape == (0, 4)
