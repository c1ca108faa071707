"""Recurrent models and learning dynamics: papers as notebooks whose claims are asserted on every run

Modules:

- `recurrent_lab.models.linear_memory`: The smallest universal sequence model: a diagonal linear recurrence that only remembers, and one MLP that reads every state.
- `recurrent_lab.models.lru`: The linear recurrent unit, and every rung of the ladder that leads to it from the classical recurrent network.
- `recurrent_lab.models.rnn`: The classical recurrent network, with the three initialisations whose training Pascanu et al. found difficult.
- `recurrent_lab.models.sequence`: The residual block that the paper puts a recurrence into, and the stack that reads a sequence to a label, a value or a sequence.
- `recurrent_lab.probes.error_wall`: One unit, two weights, fifty steps: an error surface with a wall, and its height in closed form.
- `recurrent_lab.probes.gradient_flow`: How the gradient changes on its way back through time: norms, Jacobians, their bound, and the regulariser Ω.
- `recurrent_lab.probes.memory`: The final state of a diagonal linear recurrence is a Vandermonde matrix times its input: how well can it be read backwards?
- `recurrent_lab.tasks.lotka_volterra`: A nonlinear map from a sequence to a sequence: the populations of the Lotka–Volterra equations, from what drives the prey.
- `recurrent_lab.training.regression`: What `train` needs for a model whose outputs are real numbers: the share of their variance that it leaves unexplained.
- `recurrent_lab.training.supervised`: What `train` needs for a model that learns labels: draw a batch, take the gradient, update; look at the test set.
- `recurrent_lab.training.variants`: Models of different structure, each a population of its own, in one table."""

__version__ = "0.1.0"
