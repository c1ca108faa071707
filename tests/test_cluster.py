"""Populations on clusters: the same table from any number of workers, and nothing lost when one of them, their scheduler or the sender dies."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import numpy as np
import pandas as pd
import pytest

from recurrent_lab.study import results, track
from recurrent_lab.training import cluster
from recurrent_lab.training.checkpoint import read
from recurrent_lab.training.progress import listening

pytest.importorskip("distributed")
from cluster_case import OPTIONS, RUNS, problem  # noqa: E402
from test_readers import Notes  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    "The table of one process."
    folder = tmp_path_factory.mktemp("plain")
    assert sender("here", checkpoint=folder / "c.npz", out=folder / "table.pkl").wait(300) == 0
    return pd.read_pickle(folder / "table.pkl")


def same(one, other):
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.fixture(scope="module")
def client():
    "One worker, which a test may only add to: distributed's `wait_for_workers` loses count of one that is just being retired."
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=None, dashboard_address=None) as workers, Client(workers) as client:
        yield client


def test_workers_give_the_table_of_one_process(client, plain):
    for workers in (1, 2, 4):
        client.cluster.scale(workers)
        client.wait_for_workers(workers, timeout=60)
        same(cluster.train(client, problem, RUNS, **OPTIONS).table, plain)


def test_what_the_workers_log_is_seen_and_heard_while_they_train(client, plain, capsys, monkeypatch):
    """The bar counts steps, whatever of it is drawn anew on a busy machine; who listens, such as a tracker, hears each
    part as on one machine, and has the table in the end."""
    told, notes, reached, draw = {}, Notes(), [], cluster.draw
    def drawn(bar, parts, done):
        reached.append(done)
        draw(bar, parts, done)
    monkeypatch.setattr(cluster, "draw", drawn)
    sender = track.Sender(notes, "live", track.trainings("live", problem, RUNS, "variant"), pause=0.0)
    def hear(label, first, seen):
        told.setdefault((label, first), []).append(seen)
        sender(label, first, seen)
    with listening(hear): trained = cluster.train(client, problem, RUNS, label="live", **OPTIONS)
    same(trained.table, plain)
    assert set(told) == {("live", first) for first in (0, 2, 4, 6)} and all(len(seen[0].steps) < 4 for seen in told.values())
    for (_, first), seen in told.items():
        rows = plain[plain.run.isin(range(first, first + 2))]
        assert np.array_equal(np.concatenate([*seen[-1].log]).ravel(), rows.sort_values(["step", "run"]).loss)
    assert sender.sent and reached[-1] == 80_000 and any(done % 20_000 for done in reached)
    assert "80000/80000 " in capsys.readouterr().err
    sender.rest(trained)
    assert notes.runs == {track.named({"seed": seed, "lr": 0.01}): {step: {"loss": loss} for step, loss in zip(rows.step, rows.loss)}
                          for seed, rows in plain.groupby("seed")}


def test_a_worker_of_another_version_is_refused(client, monkeypatch):
    monkeypatch.setattr(cluster, "library_hash", lambda: "0123456789ab")
    with pytest.raises(RuntimeError, match=r"has recurrent_lab [0-9a-f]{12}, the sender has 0123456789ab"):
        cluster.train(client, problem, RUNS, **OPTIONS)


def test_a_mistake_in_a_problem_is_the_workers_own_error(client):
    with pytest.raises(ValueError, match="steps and every must be at least 1"):
        cluster.train(client, problem, RUNS, steps=0, every=1, part=2)


@pytest.mark.parametrize("full", [False, True], ids=["slow", "full"])
def test_a_slow_or_full_disk_costs_checkpoints_and_no_number(client, tmp_path, plain, full):
    def hinder():
        import errno
        import functools
        import os
        import time

        @functools.wraps(os.fsync)
        def fsync(handle):
            if full: raise OSError(errno.ENOSPC, "No space left on device")
            time.sleep(0.3)
            fsync.__wrapped__(handle)
        os.fsync = fsync

    def mend():
        import os
        os.fsync = os.fsync.__wrapped__

    client.run(hinder)
    try: same(cluster.train(client, problem, RUNS, checkpoint=tmp_path / "c.npz", **OPTIONS).table, plain)
    finally: client.run(mend)
    assert any((tmp_path / "c").glob("*.npz")) != full


def reached(folder: Path) -> list[int]:
    "The steps that the parts' checkpoints have reached."
    return [int(read(file).arrays["steps"].max()) for file in sorted(folder.glob("*.npz"))]


@pytest.mark.parametrize("gone", [False, True], ids=["interrupted", "gone"])
def test_parts_that_nobody_waits_for_end_within_a_stride(client, tmp_path, gone):
    "They would take hours; their sender is interrupted, or closes its connection and says nothing."
    from distributed import Client
    options = OPTIONS | {"steps": 10**9}
    with Client(client.scheduler.address, set_as_default=False) as sender:
        waiting = {"all": cluster.submitted(sender, problem, RUNS, checkpoint=tmp_path / "c.npz", **options)}
        while not reached(tmp_path / "c"): time.sleep(0.1)
        if not gone:
            with pytest.raises(KeyboardInterrupt), cluster.called_off(sender, waiting): raise KeyboardInterrupt
            assert all(one.cancelled() for one in waiting["all"].futures)
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    free = [client.submit(os.getpid, workers=[one], pure=False) for one in workers]       # each has one thread
    assert len({one.result(timeout=60) for one in free}) == len(workers)
    ended = reached(tmp_path / "c")
    time.sleep(1)
    assert reached(tmp_path / "c") == ended and all(0 < steps < 10**9 for steps in ended)


CURVES = """\
from cluster_case import OPTIONS, RUNS, problem
from recurrent_lab.training import cluster
client = cluster.connect({address!r})
trained = cluster.train(client, problem, RUNS[:4], label="live", **OPTIONS | dict(steps=250_000))
client.close()"""


def test_bar_and_curves_in_a_notebook_follow_the_workers(client, monkeypatch):
    "What a kernel shows to somebody before it: curves that grow while the parts are trained, and at the end a line of text."
    from jupyter_client.manager import start_new_kernel
    shown = []
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("RECURRENT_LAB_PROGRESS", raising=False)
    manager, kernel = start_new_kernel(kernel_name="python3")
    try:
        reply = kernel.execute_interactive(CURVES.format(address=client.scheduler.address), allow_stdin=True, timeout=300,
                                           output_hook=lambda message: shown.append(message["content"].get("data", {})))
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok", reply["content"]
    shown = [data for data in shown if "live" in data.get("text/plain", "")]
    steps = [int(re.search(r"(\d+)/500000 ", data["text/plain"])[1]) for data in shown]
    drawn = [len(data["text/html"]) for data in shown if "text/html" in data]
    assert steps == sorted(steps) and steps[0] == 0 < steps[1] < steps[-1] == 500_000
    assert len(drawn) > 1 and drawn[-1] > drawn[0] and "text/html" not in shown[-1]


KILLS = 20


def test_workers_may_die_at_any_moment(tmp_path, plain):
    """Twenty of them at seeded moments, in as many trainings as that takes, on this machine's scale: a part is given to another worker, which
    goes on from its checkpoint. They are forked from a process that has imported what they need, and are back in a second."""
    import dask
    from distributed.utils import get_mp_context
    rng, killed, began, trained = random.Random(0), set(), 0, 0
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(["distributed", "pandas", "recurrent_lab.training.cluster"])
        client = cluster.connect.__wrapped__("local:2")      # a user's own, which lets a part outlive a hundred workers, and not three
        with client.cluster, client, cluster.reports(client) as queue:
            start = time.monotonic()
            same(cluster.train(client, problem, RUNS, **OPTIONS).table, plain)
            whole = time.monotonic() - start
            while len(killed) < KILLS:
                trained += 1
                waiting = {"all": cluster.submitted(client, problem, RUNS, checkpoint=tmp_path / f"{trained}.npz", **OPTIONS)}
                while len(killed) < KILLS and not all(one.done() for one in waiting["all"].futures):
                    time.sleep(rng.uniform(0, whole / 2.5))
                    if alive := sorted({worker.pid for worker in client.cluster.workers.values() if worker.pid} - killed):
                        began += any((tmp_path / f"{trained}").glob("*.npz"))
                        killed.add(one := rng.choice(alive))
                        os.kill(one, signal.SIGKILL)
                same(cluster.gathered(client, waiting, {"all": RUNS}, queue)["all"].table, plain)
    assert began


def test_a_worker_that_its_cluster_gave_up_is_replaced(tmp_path, plain):
    "LocalCluster closes what has restarted no worker some seconds after one died, as on a busy machine; here at once."
    import dask
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
        client = cluster.connect.__wrapped__("local:1")
        with client.cluster, client, cluster.reports(client) as queue:
            first = [*client.cluster.workers.values()]
            waiting = {"all": cluster.submitted(client, problem, RUNS, checkpoint=tmp_path / "c.npz", **OPTIONS)}
            while not any((tmp_path / "c").glob("*.npz")): time.sleep(0.1)
            os.kill(first[0].pid, signal.SIGKILL)
            same(cluster.gathered(client, waiting, {"all": RUNS}, queue)["all"].table, plain)
            assert not {*first} & {*client.cluster.workers.values()}


def sender(*where: str, checkpoint: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(HERE / "cluster_case.py"), *where, str(checkpoint), str(out)])


def test_a_sender_that_was_killed_goes_on(tmp_path, plain):
    first = sender("local:2", checkpoint=tmp_path / "c.npz", out=tmp_path / "first.pkl")
    parts = tmp_path / "c"
    while first.poll() is None and not (parts.is_dir() and any(parts.glob("*.npz"))): time.sleep(0.1)
    first.kill()
    first.wait()
    began = {file.name: file.read_bytes() for file in parts.glob("*.npz")}
    assert began and sender("local:2", checkpoint=tmp_path / "c.npz", out=tmp_path / "again.pkl").wait(300) == 0
    same(pd.read_pickle(tmp_path / "again.pkl"), plain)


def scheduler(file: Path) -> tuple[list[subprocess.Popen], str]:
    "A scheduler of its own with a worker, as a user starts them: their processes, and its address."
    dask = [sys.executable, "-m", "dask"]
    one = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)])
    while not (file.exists() and file.read_text().rstrip().endswith("}")): time.sleep(0.1)
    where = json.loads(file.read_text())["address"]
    return [one, subprocess.Popen([*dask, "worker", where, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--death-timeout", "5"])], where


def test_a_scheduler_that_was_killed_costs_no_part(tmp_path, plain):
    "The sender ends with an error and does not wait for ever; with another scheduler it goes on from the checkpoints."
    parts, started = tmp_path / "c", []
    try:
        for name, status in (("first", 1), ("again", 0)):
            processes, where = scheduler(tmp_path / f"{name}.json")
            started += processes
            run = sender(where, checkpoint=tmp_path / "c.npz", out=tmp_path / "table.pkl")
            started.append(run)
            if name == "first":
                while run.poll() is None and not (parts.is_dir() and any(parts.glob("*.npz"))): time.sleep(0.1)
                processes[0].kill()
            assert run.wait(300) == status
        same(pd.read_pickle(tmp_path / "table.pkl"), plain)
    finally:
        for process in started: process.kill()


FIRST = """\
# A circle of products

> A matrix learns to undo itself.

- family: dynamics
- order: 1
- paper: On products
- authors: A. Potter
- year: 2001
- arxiv: 2001.00001
- summary: products"""

STUDY = [v4.new_markdown_cell(FIRST), v4.new_code_cell("""\
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    steps: int = 20_000
    seeds: int = 7"""), v4.new_code_cell("""\
from cluster_case import OPTIONS, RUNS, problem
from recurrent_lab.study import Study
study = Study("products", Config)
trained = study.train("learned", problem, RUNS, **OPTIONS | dict(steps=study.config.steps))""")]

# SIGINT as a terminal has it: a shell that runs us in the background would have it ignored
START = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
         "from recurrent_lab.runner.cli import main; sys.exit(main())")


def of_run(runs: Path) -> list[str]:
    "The processes of a run, those of its workers among them."
    def says(process):
        try: return str(runs).encode() in (process / "environ").read_bytes()
        except OSError: return False
    return [process.name for process in Path("/proc").glob("[0-9]*") if says(process)]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes as Linux lists them")
def test_a_run_that_is_interrupted_leaves_no_worker_and_goes_on(empty_lab, plain):
    (empty_lab / "nbs/papers/dynamics").mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=STUDY), empty_lab / "nbs/papers/dynamics/products.ipynb")
    runs = empty_lab / "data/runs"
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-c", START, "run", "products", "--cluster", "local:2"]
    begin = lambda: subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                     env=os.environ | {"PYTHONPATH": path, "RECURRENT_LAB_RUNS": str(runs)})
    first = begin()
    while first.poll() is None and not [*runs.rglob("*.npz")]: time.sleep(0.05)
    assert len(of_run(runs)) > 3                                       # the command, the kernel, two workers
    first.send_signal(signal.SIGINT)
    said = first.communicate()[1]
    assert first.returncode == 130 and said.endswith("\nrecurrent-lab: interrupted; earlier results are as they were\n"), said
    assert "Traceback" not in said
    began = time.monotonic()
    while of_run(runs) and time.monotonic() < began + 10: time.sleep(0.1)
    assert not of_run(runs)
    again = begin()
    said = again.communicate()[1]
    assert again.returncode == 0 and re.search(r"resuming 2-\d.npz after step \d+ of 20000", said), said
    table = results.tables_in(next(runs.rglob("results.sqlite")))["learned"]
    assert np.allclose(table.sort_values(["run", "step"]).loss, plain.sort_values(["run", "step"]).loss, rtol=1e-4)     # compiled otherwise


STAND_IN = {"sbatch": """#!/bin/sh
# a copy of the job script, as Slurm makes one, started here as a process
log="$JOBS/$$"; cp "$1" "$log.sh"; (setsid sh "$log.sh" >"$log.log" 2>&1 & echo $! >"$log.pid"); echo "Submitted batch job $$"
""", "scancel": """#!/bin/sh
for job; do kill -9 -- "-$(cat "$JOBS/$job.pid")" 2>/dev/null; done; exit 0
"""}


def test_slurm_by_a_stand_in_whose_jobs_run_out_of_time(tmp_path, monkeypatch, plain):
    "dask-jobqueue's real job scripts as local processes; one job is ended in the middle of its part."
    for name, script in STAND_IN.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("JOBS", str(tmp_path))
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__CORES", "1")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__MEMORY", "4GB")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__LOCAL_DIRECTORY", str(tmp_path))
    run = sender("slurm:2", checkpoint=tmp_path / "c.npz", out=tmp_path / "table.pkl")
    parts = tmp_path / "c"
    while run.poll() is None and not (parts.is_dir() and any(parts.glob("*.npz"))): time.sleep(0.1)
    jobs = sorted(tmp_path.glob("*.pid"))
    assert jobs, "no job was sent"
    os.killpg(int(jobs[0].read_text()), signal.SIGKILL)
    try:
        assert run.wait(300) == 0
        same(pd.read_pickle(tmp_path / "table.pkl"), plain)
    finally:
        run.kill()
        for job in tmp_path.glob("*.pid"):
            try: os.killpg(int(job.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError): pass


@pytest.mark.parametrize("where", ["local", "local:0", "tcp://node", "slurm:-1", "dask"])
def test_a_place_that_cannot_be_is_one_clear_error(where):
    from recurrent_lab.study.settings import settings
    with pytest.raises(ValueError, match="cluster must be none, local:N or slurm:N"):
        settings(cluster=where)


def test_no_scheduler_there():
    with pytest.raises(OSError): cluster.connect("tcp://127.0.0.1:9")
