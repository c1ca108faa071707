"""Training, where a notebook cannot go: processes that are killed, files that are damaged, interruptions, compile counts."""
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from recurrent_lab.training import Problem, Process, chunk, grid, population, train, train_variants
from recurrent_lab.training.checkpoint import read, restore, save
from recurrent_lab.training.problem import nothing

ADAM = optax.adam(1e-2)
X = jnp.linspace(-1, 1, 32)[:, None]
RUNS = grid(seed=range(3), lr=[0.1, 1.0], sick=[0])


def init(hyper, *, key):
    "One leaf of each kind that a state may hold."
    model = eqx.nn.MLP(1, 1, width_size=4, depth=1, key=key)
    return {"model": model, "optimizer": ADAM.init(eqx.filter(model, eqx.is_array)), "average": jnp.zeros(3, jnp.bfloat16),
            "order": jnp.roll(jnp.arange(32), hyper["seed"]), "key": key, "best": jnp.array(jnp.inf), "weak": jnp.asarray(0.0)}


def step(state, hyper, *, key):
    "A step of Adam; a run whose column `sick` is t has a NaN in step t."
    batch = X[state["order"][:8]] + 0.1 * jr.uniform(key, (8, 1))
    def loss(model): return jnp.mean((jax.vmap(model)(batch) - batch**2) ** 2)
    value, gradient = eqx.filter_value_and_grad(loss)(state["model"])
    update, optimizer = ADAM.update(gradient, state["optimizer"])
    model = eqx.apply_updates(state["model"], jax.tree.map(lambda u: hyper["lr"] * u, update))
    mine, key = jr.split(state["key"])
    noise = jr.uniform(mine, (3,), jnp.bfloat16)
    new = state | {"model": model, "optimizer": optimizer, "average": (0.9 * state["average"] + noise).astype(jnp.bfloat16), "key": key,
                   "order": jnp.roll(state["order"], 5), "best": jnp.minimum(state["best"], value), "weak": state["weak"] + 1}
    return new, {"loss": value, "noise": jnp.where(new["weak"] == hyper["sick"], jnp.nan, noise[0])}


def evaluate(state, hyper): return {"error": jnp.mean((jax.vmap(state["model"])(X) - X**2) ** 2)}


def numbers(step=1500, **more): return dict(steps=step, every=5, evaluate=evaluate, key=jr.key(3)) | more


def fit(init, step, runs, evaluate=None, **options):
    "`train` of a process given as its functions."
    return train(Process(init, step, evaluate or nothing), runs, **options)


def arrays(tree):
    def plain(a): return np.asarray(jr.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a)
    return [plain(a) for a in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def assert_same(a, b):
    "Bit for bit, the table, the failures and the state."
    assert a.step == b.step and a.table.equals(b.table) and a.failures.equals(b.failures)
    assert [x.tobytes() for x in arrays(a.state)] == [x.tobytes() for x in arrays(b.state)]


# ---- killed

def test_a_run_killed_many_times_ends_where_the_unbroken_one_ends(tmp_path):
    path, chance, kills = tmp_path / "run.npz", random.Random(0), []
    from conftest import QUICK_XLA
    alike = os.environ.get("XLA_FLAGS", QUICK_XLA)                                  # to the last bit, it must compile as this process does
    environment = os.environ | {"XLA_FLAGS": alike, "RECURRENT_LAB_PROGRESS": "none", "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
                                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    for attempt in range(10):
        before = path.stat().st_mtime_ns if path.exists() else 0
        child = subprocess.Popen([sys.executable, __file__, path], env=environment)
        if attempt != 1:  # that one is killed while it starts
            while child.poll() is None and (path.stat().st_mtime_ns if path.exists() else 0) == before: time.sleep(0.002)
        if len(kills) < 4: time.sleep(chance.random() * 0.25)
        else: child.wait()
        if child.poll() is not None: break
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills.append(len(read(path).arrays["steps"]))  # whatever moment it was, the file is whole
    assert child.returncode == 0 and len(set(kills)) >= 3 and kills == sorted(kills), kills
    assert_same(fit(init, step, RUNS, checkpoint=path, **numbers()), fit(init, step, RUNS, **numbers()))


def test_what_a_killed_writer_leaves_beside_the_file_is_ignored(tmp_path):
    path = tmp_path / "run.npz"
    fit(init, step, RUNS, checkpoint=path, **numbers(10))
    path.with_name(".run.npz.00ffaa11.tmp").write_bytes(path.read_bytes()[:100])
    assert_same(fit(init, step, RUNS, checkpoint=path, **numbers(20)), fit(init, step, RUNS, **numbers(20)))
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


# ---- interrupted

@pytest.fixture
def ctrl_c():
    "SIGINT as a terminal has it: a shell that runs us in the background would have it ignored."
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_returns_what_was_computed(tmp_path, capsys, ctrl_c):
    path, steps = tmp_path / "run.npz", 1_000_000
    def interrupt():  # while the training runs
        while not path.exists(): time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    cut = fit(init, step, RUNS, checkpoint=path, **numbers(steps))
    thread.join()
    assert "interrupted" in capsys.readouterr().err and 0 < cut.step < steps
    assert_same(cut, fit(init, step, RUNS, **numbers(cut.step)))
    more = cut.step + 12
    assert_same(fit(init, step, RUNS, checkpoint=path, **numbers(more)), fit(init, step, RUNS, **numbers(more)))


def test_a_stop_is_felt_in_the_middle_of_a_chunk(capsys, ctrl_c, monkeypatch):
    strides = []
    class Watched(population.Strides):
        def __call__(self, n):
            for stride in super().__call__(n):
                strides.append(stride)
                if len(strides) == 8: threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
                yield stride
    monkeypatch.setattr(population, "Strides", Watched)
    began = time.perf_counter()
    cut = fit(init, step, RUNS, **numbers(10**7, every=10**6))   # a chunk would take minutes
    assert cut.step == 0 and cut.table.empty and list(cut.table)[-1] == "error" and "after step 0 of" in capsys.readouterr().err
    assert 7 < len(strides) and sum(length for _, length in strides) < 10**6 and time.perf_counter() - began < 30


# ---- files that are refused

@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "run.npz"
    fit(init, step, RUNS, checkpoint=path, **numbers(10))
    return path.read_bytes()


def refuses(path, content, match, runs=RUNS, init=init, **more):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as error: fit(init, step, runs, checkpoint=path, **numbers(**{"step": 20} | more))
    assert str(path) in str(error.value) and "Nothing was overwritten" in str(error.value)
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def rewritten(path, content, **entries):
    "The checkpoint with some entries replaced."
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive: parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (parts | entries).items(): archive.writestr(name, part)
    return path.read_bytes()


def test_damaged_and_strange_files_are_refused(tmp_path, kept):
    path = tmp_path / "run.npz"
    for length in (0, 1, 100, len(kept) // 2, len(kept) - 1): refuses(path, kept[:length], "cannot be read as a checkpoint")
    middle = bytearray(kept); middle[len(kept) // 2] ^= 4
    refuses(path, bytes(middle), "CRC")
    refuses(path, pickle.dumps({"state": 1}), "cannot be read as a checkpoint")
    refuses(path, b"not a zip at all", "not a zip file")
    np.savez(path, w=np.ones(3))
    refuses(path, path.read_bytes(), "header.json")


class Payload:
    def __reduce__(self): return os.mkdir, ("pickle-was-run",)


def test_no_pickle_is_ever_loaded(tmp_path, kept, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    np.save("evil.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    evil = Path("evil.npy").read_bytes()
    for name in ("steps.npy", "state/best.npy"):
        content = rewritten(tmp_path / "folder" / "run.npz", kept, **{name: evil})
        refuses(tmp_path / "folder" / "run.npz", content, "allow_pickle=False")
    refuses(tmp_path / "folder" / "run.npz", pickle.dumps(Payload()), "cannot be read")
    assert not Path("pickle-was-run").exists()


def test_files_of_another_training_are_refused(tmp_path, kept):
    path = tmp_path / "run.npz"
    refuses(path, kept, "runs is", runs=RUNS.assign(lr=2.0))
    refuses(path, kept, "every is 5 in the file, 10 here", every=10)
    refuses(path, kept, "key is", key=jr.key(4))
    refuses(path, kept, "metrics is", evaluate=None)
    refuses(path, kept, "10 steps already, more than steps=5", step=5)
    refuses(path, kept, "state/order is int32.6,32. in the file, absent here|state/other is absent",
            init=lambda hyper, *, key: init(hyper, key=key) | {"other": jnp.zeros(2)})
    header = json.loads(zipfile.ZipFile(path).read("header.json"))
    refuses(path, rewritten(path, kept, **{"header.json": json.dumps(header | {"version": 99})}), "version 99, not")
    refuses(path, rewritten(path, kept, **{"header.json": "[]"}), "cannot be read")


def test_a_flipped_bit_is_refused_or_harmless(tmp_path):
    tree = {"w": jnp.arange(6.0).reshape(2, 3), "k": jr.key(1), "b": jnp.ones(2, jnp.bfloat16)}
    path = tmp_path / "tree.npz"
    save(path, tree, note="x")
    content, refused = path.read_bytes(), 0
    for at in range(len(content)):
        damaged = bytearray(content); damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        try: found = read(path)
        except ValueError as error: refused += str(path) in str(error)
        else: assert found.about == {"note": "x"} and eqx.tree_equal(restore(tree, found), tree), at
    assert refused > 0.7 * len(content)


def test_every_kind_of_leaf_comes_back(tmp_path):
    norm, memory = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode="batch")
    tree = {"norm": norm, "memory": memory, "half": jnp.ones(2, jnp.float16), "tiny": jnp.ones(3, jnp.float8_e4m3fn), "no": jnp.zeros((0, 2)),
            "bool": jnp.array(True), "keys": jr.split(jr.key(0, impl="rbg"), 3), "numpy": np.arange(3.0), "complex": jnp.array(1 + 2j)}
    save(tmp_path / "tree.npz", tree)
    blank = jax.tree.map(lambda a: a if not eqx.is_array(a) or jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else np.zeros_like(a), tree)
    back = restore(blank, read(tmp_path / "tree.npz"))
    assert all(x.tobytes() == y.tobytes() and x.dtype == y.dtype for x, y in zip(arrays(tree), arrays(back), strict=True))
    assert isinstance(back["numpy"], np.ndarray) and back["numpy"].dtype == np.float64
    with pytest.raises(ValueError, match="same path"): save(tmp_path / "tree.npz", {"a": {"b": jnp.ones(1)}, "a/b": jnp.ones(1)})


# ---- failures

@pytest.mark.parametrize("at", [1, 5, 6, 18])
def test_a_nan_stops_one_run_and_changes_no_bit_of_the_others(at, tmp_path):
    runs, path, last = RUNS.assign(sick=[0, 0, at, 0, 0, 0]), tmp_path / "run.npz", (at - 1) // 5 * 5
    well, sick = fit(init, step, RUNS, **numbers(20)), fit(init, step, runs, checkpoint=path, **numbers(20))
    assert sick.failures.to_dict("records") == [{"run": 2, "seed": 1, "lr": 0.1, "sick": at, "step": at, "metric": "noise"}]
    others = well.table[(well.table["run"] != 2) | (well.table["step"] <= last)].reset_index(drop=True)
    assert sick.table.drop(columns="sick").equals(others.drop(columns="sick"))
    before = fit(init, step, RUNS, **numbers(max(last, 1)))
    for run in range(6):
        if run == 2 and last == 0: assert sick[2]["weak"] == 0 and (sick[2]["average"] == 0).all()
        else: assert [a.tobytes() for a in arrays((before if run == 2 else well)[run])] == [a.tobytes() for a in arrays(sick[run])]
    assert_same(fit(init, step, runs, checkpoint=path, **numbers(30)), fit(init, step, runs, **numbers(30)))


def test_a_nan_in_an_evaluation_counts_and_when_all_have_failed_the_training_ends():
    def bad(state, hyper): return {"error": jnp.where(state["weak"] >= 10, jnp.inf, 0.0)}
    ended = fit(init, step, RUNS, **numbers(1000, evaluate=bad))
    assert ended.step == 10 and ended.failures["step"].eq(10).all() and ended.failures["metric"].eq("error").all()
    assert ended.table["step"].eq(5).all() and len(ended.failures) == 6


# ---- what a run does not depend on

def test_one_compile_for_all_chunks_and_for_the_next_call():
    traces = []
    def counted(state, hyper, *, key): traces.append(1); return step(state, hyper, key=key)
    fit(init, counted, RUNS, **numbers(5))
    assert len(traces) == 2  # once to look at its shapes, once to compile
    fit(init, counted, RUNS, **numbers(52))  # ten chunks and a shorter one
    assert len(traces) == 3  # looked at again, and not compiled


def test_the_state_does_not_depend_on_every():
    a, b, c = (fit(init, step, RUNS, **numbers(30, every=every)) for every in (1, 7, 5))
    assert all(x.tobytes() == y.tobytes() == z.tobytes() for x, y, z in zip(arrays(a.state), arrays(b.state), arrays(c.state)))
    assert b.table.query("run == 0")["step"].tolist() == [7, 14, 21, 28, 30] and c.step == 30
    assert np.isclose(a.table.query("run == 1")["loss"].mean(), c.table.query("run == 1")["loss"].mean())


def test_a_run_alone_is_the_run_in_the_crowd():
    crowd = fit(init, step, RUNS, **numbers(20))
    for run in (1, 4):
        alone = fit(init, step, RUNS.loc[[run]], **numbers(20))
        assert all(np.allclose(np.float32(a[0]), np.float32(b[run]), atol=1e-4) for a, b in zip(arrays(alone.state), arrays(crowd.state)))
        assert np.allclose(alone.table[["loss", "error"]], crowd.table.query("run == @run")[["loss", "error"]], atol=1e-5)


def test_batch_norm_lives_in_the_state(tmp_path):
    def start(hyper, *, key): return eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="batch")
    def normed(state, hyper, *, key):
        norm, memory = state
        y, memory = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(X + jr.normal(key, X.shape), memory)
        return (norm, memory), {"mean": y.mean()}
    fit(start, normed, RUNS, steps=7, every=5, checkpoint=tmp_path / "run.npz")
    resumed = fit(start, normed, RUNS, steps=20, every=5, checkpoint=tmp_path / "run.npz")
    whole = fit(start, normed, RUNS, steps=20, every=5)
    assert [a.tobytes() for a in arrays(resumed.state)] == [a.tobytes() for a in arrays(whole.state)]


def test_names_ride_along_and_numbers_are_hyper_parameters():
    runs = grid(seed=[0], kind=["a", "b"], lr=np.array([0.5], np.float32), flag=[True])
    seen = []
    def look(state, hyper, *, key): seen.append({k: v.dtype.name for k, v in hyper.items()}); return state, {"loss": hyper["lr"]}
    done = fit(lambda hyper, *, key: jnp.zeros(1), look, runs, steps=3, every=3)
    assert seen[0] == {"seed": "int32", "lr": "float32", "flag": "bool"} and done.table["kind"].tolist() == ["a", "b"]
    assert done.table["loss"].tolist() == [0.5, 0.5] and repr(done) == "Population of 2 runs after 3 steps"


def test_double_precision_is_kept(tmp_path):
    with jax.enable_x64():
        start, move = (lambda hyper, *, key: jr.normal(key)), (lambda x, hyper, *, key: (x + hyper["lr"], {"x": x}))
        fit(start, move, RUNS, steps=5, every=5, checkpoint=tmp_path / "run.npz")
        resumed = fit(start, move, RUNS, steps=9, every=5, checkpoint=tmp_path / "run.npz")
        assert resumed.state.dtype == jnp.float64 and (resumed.state == fit(start, move, RUNS, steps=9, every=5).state).all()


# ---- goals, phases, parts, devices

def line(slope):
    "Gradient descent on a line: the position falls by lr times the slope each step."
    return Problem(lambda hyper, *, key: (jr.uniform(key), None), lambda x, aux, hyper, t, *, key: (slope * x, (aux, {"x": x})),
                   lambda hyper: optax.sgd(hyper["lr"]), lambda state, hyper: {"at": state.model})


def low(metrics, hyper): return metrics["at"] < -hyper["lr"] * 20


@pytest.mark.parametrize("part", [None, 1, 2])
def test_a_training_with_phases_and_a_goal_goes_on_where_it_was_cut(tmp_path, part):
    runs, path = grid(seed=range(3), lr=[0.1, 1.0]), tmp_path / "run.npz"
    numbers = dict(every=5, stop=low, phases={12: line(2.0), 23: line(0.5)}, part=part)
    whole = train(line(1.0), runs, steps=60, **numbers)
    assert whole.stopped.step.between(13, 40).all() and len(whole.stopped) == 6
    assert whole.table.groupby("run").step.max().tolist() == whole.stopped.step.tolist()
    for steps in (3, 12, 14, 23, 31, 60): cut = train(line(1.0), runs, steps=steps, checkpoint=path, **numbers)
    rows = whole.table[whole.table.step.isin([5, 10, 15, 20])].reset_index(drop=True)
    assert cut.table[cut.table.step.isin([5, 10, 15, 20])].reset_index(drop=True)["at"].equals(rows["at"])
    assert (cut.state.model == whole.state.model).all() and cut.stopped.equals(whole.stopped)
    with pytest.raises(ValueError, match="phases is"): train(line(1.0), runs, steps=70, checkpoint=path, **(numbers | {"phases": {}}))


def test_phases_must_log_the_same():
    other = Problem(line(1.0).make, lambda x, aux, hyper, t, *, key: (x, (aux, {"y": x})), line(1.0).optimizer)
    with pytest.raises(ValueError, match="begins after step 3 logs"): train(line(1.0), grid(seed=[0], lr=[1.0]), steps=5, every=1, phases={3: other})


def test_variants_keep_their_checkpoints_by_name(tmp_path):
    runs, two = grid(seed=[0], lr=[0.1]), {"a/b": line(1.0), "c": line(3.0)}
    first = train_variants("slope", two, runs, steps=10, every=5, checkpoints=tmp_path)
    again = train_variants("slope", dict(reversed(two.items())), runs, steps=10, every=5, checkpoints=tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a%2Fb.npz", "c.npz"]
    for name in two: assert again.populations[name].table.equals(first.populations[name].table)


def test_a_checkpoint_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be written"):
        done = train(line(1.0), grid(seed=[0], lr=[0.1]), steps=10, every=5, checkpoint=tmp_path / "file" / "run.npz")
    assert done.step == 10


def test_a_complex_metric_is_refused():
    with pytest.raises(TypeError, match="metric 'loss' of step must be real"):
        fit(lambda hyper, *, key: jnp.zeros(1), lambda state, hyper, *, key: (state, {"loss": 1j * state.sum()}), grid(seed=[0]), steps=1, every=1)


def test_integers_that_would_wrap_are_refused():
    with pytest.raises(ValueError, match="4294967301; integers from"): train(line(1.0), grid(seed=[5, 2**32 + 5], lr=[0.1]), steps=1, every=1)


def test_several_devices_give_the_numbers_of_one(tmp_path):
    "In processes of their own: how many devices there are is settled when JAX starts."
    from conftest import simulated
    told = []
    for devices in (1, 2, 8):
        environment = os.environ | {"XLA_FLAGS": simulated(devices), "RECURRENT_LAB_PROGRESS": "none"}
        done = subprocess.run([sys.executable, __file__, "devices", tmp_path / f"{devices}.npz"], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    for other in told[1:]:
        assert np.allclose(other["usual"], told[0]["usual"], rtol=1e-4, atol=1e-5)
        assert np.allclose(other["in parts of two"], told[0]["in parts of two"], rtol=1e-6, atol=0)      # the part is the same
        assert other["failed"] == told[0]["failed"] == [2]


def on_these_devices(path):
    "Seven runs, one of which fails: on all devices at once, in parts of two, and cut and resumed."
    runs = grid(seed=range(7), lr=[0.3]).assign(sick=[0, 0, 6, 0, 0, 0, 0])
    usual = fit(init, step, runs, **numbers(20))
    parts = fit(init, step, runs, part=2, **numbers(20))
    fit(init, step, runs, part=2, checkpoint=path, **numbers(10))
    assert_same(fit(init, step, runs, part=2, checkpoint=path, **numbers(20)), parts)
    matrix = lambda hyper, *, key: jr.normal(key, (3, 3))
    turned = fit(matrix, lambda a, hyper, *, key: (jnp.linalg.qr(a)[0], {"loss": a.sum()}), runs, steps=3, every=1)
    assert len(turned.state.sharding.device_set) == 1            # where several would wait for each other for ever
    print(json.dumps({"usual": usual.table["error"].tolist(), "in parts of two": parts.table["error"].tolist(),
                      "failed": usual.failures["run"].tolist()}))


# ---- refusals

@pytest.mark.parametrize("runs, match", [(grid(lr=[1.0]), "no column 'seed'"), (grid(seed=[]), "no rows"), (grid(seed=[0.5]), "must hold integers"),
                                         (grid(seed=["a"]), "must hold integers"), (grid(seed=[0], step=[1]), "column 'step'"),
                                         (grid(seed=[0], loss=[1.0]), "metric 'loss'")])
def test_impossible_runs(runs, match):
    with pytest.raises((ValueError, TypeError), match=match):
        fit(lambda hyper, *, key: jnp.zeros(1), lambda state, hyper, *, key: (state, {"loss": 0.0}), runs, steps=1, every=1)


def test_impossible_arguments():
    with pytest.raises(ValueError, match="at least 1, not 0 and 5"): fit(init, step, RUNS, **numbers(0))
    with pytest.raises(TypeError, match=r"write seed=\[5\]"): grid(seed=5)
    with pytest.raises(TypeError, match="not a list"): grid(seed=[1], kind="abc")


@pytest.mark.parametrize("mode", ["auto", "text", "none"])
def test_progress_as_the_settings_say(mode, monkeypatch, capsys):
    monkeypatch.setenv("RECURRENT_LAB_PROGRESS", mode)
    fit(init, step, RUNS, label="sine", **numbers(20))
    shown = capsys.readouterr().err
    assert (shown == "") if mode == "none" else ("sine" in shown and "20/20" in shown and "loss=" in shown)
    assert ("\r" in shown) == (mode == "auto")


if __name__ == "__main__":
    if sys.argv[1] == "devices": sys.exit(on_these_devices(sys.argv[2]))
    chunk.PAUSE, unpaced = 0.0, chunk.go_on
    chunk.go_on = lambda *args: (time.sleep(0.005), unpaced(*args))[1]  # paced: a quick machine must not be done before it is killed
    fit(init, step, RUNS, checkpoint=sys.argv[1], **numbers())
