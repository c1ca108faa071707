"""A training that takes some seconds, for test_cluster; as a program: `cluster_case.py WHERE CHECKPOINT TABLE`,
where "here" is this process, compiled as the workers compile."""
import sys

import jax.numpy as jnp
import jax.random as jr
import optax

from recurrent_lab.training import Problem, cluster, grid, train

STEPS = 20_000
OPTIONS = dict(steps=STEPS, every=STEPS // 4, part=2)
RUNS = grid(seed=range(7), lr=[0.01])


def make(hyper, *, key):
    "A random matrix."
    return 0.1 * jr.normal(key, (24, 24)), None


def loss(model, aux, hyper, t, *, key):
    "How far its product with itself is from a random vector's, with noise."
    x = jr.normal(key, (24,))
    value = jnp.mean((jnp.tanh(model @ jnp.tanh(model @ x)) - x) ** 2)
    return value, (aux, {"loss": value})


problem = Problem(make, loss, lambda hyper: optax.adam(hyper["lr"]))

if __name__ == "__main__":
    where, checkpoint, out = sys.argv[1:]
    client = None if where == "here" else cluster.connect(where)
    trained = (cluster.train(client, problem, RUNS, checkpoint=checkpoint, **OPTIONS) if client else
               train(problem, RUNS, checkpoint=checkpoint, **OPTIONS))
    trained.table.to_pickle(out)
    if client: client.shutdown()
