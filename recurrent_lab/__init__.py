"""Recurrent models and learning dynamics: papers as notebooks whose claims are asserted on every run

Modules:

- `recurrent_lab.models.attention`: Multi-query attention to the last tokens only, in time and memory that grow with the window, not with the square of the length.
- `recurrent_lab.models.generate`: Tokens from a language model with a state: prompts of unequal length in one batch, drawn by temperature, top-k and top-p, at once or as a stream.
- `recurrent_lab.models.griffin`: Gated linear recurrences and local attention in one language model: Hawk, Griffin, RecurrentGemma.
- `recurrent_lab.models.griffin_config`: The numbers that make a Griffin, a Hawk or a RecurrentGemma, and those of the published models.
- `recurrent_lab.models.griffin_files`: Published weights from an Orbax folder or from safetensors, whoever named them.
- `recurrent_lab.models.griffin_names`: One model, three vocabularies: the official flax tree, the official torch state dict, and Hugging Face.
- `recurrent_lab.models.linear_memory`: The smallest universal sequence model: a diagonal linear recurrence that only remembers, and one MLP that reads every state.
- `recurrent_lab.models.lru`: The linear recurrent unit, and every rung of the ladder that leads to it from the classical recurrent network.
- `recurrent_lab.models.positionwise`: What a Gemma-like model does to each token by itself: linear maps, block-diagonal ones, RMS norm, the gated MLP.
- `recurrent_lab.models.rglru`: The real-gated linear recurrent unit of Griffin and Hawk, its complex relative, and the short convolution before it.
- `recurrent_lab.models.rnn`: The classical recurrent network, with the three initialisations whose training Pascanu et al. found difficult.
- `recurrent_lab.models.sequence`: The residual block that the paper puts a recurrence into, and the stack that reads a sequence to a label, a value or a sequence.
- `recurrent_lab.probes.error_wall`: One unit, two weights, fifty steps: an error surface with a wall, and its height in closed form.
- `recurrent_lab.probes.gradient_flow`: How the gradient changes on its way back through time: norms, Jacobians, their bound, and the regulariser Ω.
- `recurrent_lab.probes.linear_regression`: The expected risk of a stochastic method on Gaussian linear regression, by recursion: no sampling, no bound.
- `recurrent_lab.probes.memory`: The final state of a diagonal linear recurrence is a Vandermonde matrix times its input: how well can it be read backwards?
- `recurrent_lab.tasks.lotka_volterra`: A nonlinear map from a sequence to a sequence: the populations of the Lotka–Volterra equations, from what drives the prey.
- `recurrent_lab.training.regression`: What `train` needs for a model whose outputs are real numbers: the share of their variance that it leaves unexplained.
- `recurrent_lab.training.supervised`: What `train` needs for a model that learns labels: draw a batch, take the gradient, update; look at the test set.
- `recurrent_lab.training.variants`: Models of different structure, each a population of its own, in one table."""

__version__ = "0.1.0"
