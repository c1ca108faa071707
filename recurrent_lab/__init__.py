"""Recurrent models and learning dynamics: papers as notebooks whose claims are asserted on every run

Modules:

- `recurrent_lab.models.algebra`: One hidden layer whose activation is a power: the nets for which the best possible margin is known.
- `recurrent_lab.models.attention`: Multi-query attention to the last tokens only, in time and memory that grow with the window, not with the square of the length.
- `recurrent_lab.models.emulation`: Weights, written down, with which it is a given Transformer, or a given recurrent network.
- `recurrent_lab.models.feedback_attention`: Where each output makes the next key: attention token by token, that reads each key log N times, not N.
- `recurrent_lab.models.gram`: Gradient descent on a first layer sees its points only through their inner products: the same training, without the dimensions.
- `recurrent_lab.models.griffin`: Gated linear recurrences and local attention in one language model: Hawk, Griffin, RecurrentGemma.
- `recurrent_lab.models.griffin_config`: The numbers that make a Griffin, a Hawk or a RecurrentGemma, and those of the published models.
- `recurrent_lab.models.griffin_files`: Published weights from an Orbax folder or from safetensors, whoever named them.
- `recurrent_lab.models.griffin_names`: One model, three vocabularies: the official flax tree, the official torch state dict, and Hugging Face.
- `recurrent_lab.models.linear_memory`: The smallest universal sequence model: a diagonal linear recurrence that only remembers, and one MLP that reads every state.
- `recurrent_lab.models.lru`: The linear recurrent unit, and every rung of the ladder that leads to it from the classical recurrent network.
- `recurrent_lab.models.mlp`: Two layers, from one neuron to a wide one, in every form whose way to a sparse parity has been studied.
- `recurrent_lab.models.parity_transformer`: One layer of attention by one query: the smallest Transformer that has to find the relevant bits.
- `recurrent_lab.models.positionwise`: What a Gemma-like model does to each token by itself: linear maps, block-diagonal ones, RMS norm, the gated MLP.
- `recurrent_lab.models.recurrent_transformer`: Every layer attends to what it put out for the tokens before: as deep as the text is long, trained in tiles.
- `recurrent_lab.models.rglru`: The real-gated linear recurrent unit of Griffin and Hawk, its complex relative, and the short convolution before it.
- `recurrent_lab.models.rnn`: The classical recurrent network, with the three initialisations whose training Pascanu et al. found difficult.
- `recurrent_lab.models.sequence`: The residual block that the paper puts a recurrence into, and the stack that reads a sequence to a label, a value or a sequence.
- `recurrent_lab.models.transformer`: The baseline of every comparison: Griffin's own parts, with global attention in every block.
- `recurrent_lab.probes.certificates`: The nets that the theorems describe, written down: their margins equal the optimum to twelve digits.
- `recurrent_lab.probes.error_wall`: One unit, two weights, fifty steps: an error surface with a wall, and its height in closed form.
- `recurrent_lab.probes.gradient_flow`: How the gradient changes on its way back through time: norms, Jacobians, their bound, and the regulariser Ω.
- `recurrent_lab.probes.hidden_progress`: What moves while the accuracy does not: relevant weights against the others, and the gap in the gradient that moves them.
- `recurrent_lab.probes.linear_regression`: The expected risk of a stochastic method on Gaussian linear regression, by recursion: no sampling, no bound.
- `recurrent_lab.probes.margin`: How surely a homogeneous net is right for the size of its weights, beside the most that any net of its kind can reach.
- `recurrent_lab.probes.memory`: The final state of a diagonal linear recurrence is a Vandermonde matrix times its input: how well can it be read backwards?
- `recurrent_lab.probes.polynet_flow`: The product of k linear functions learns a parity along a known curve: nothing to be seen for most of the time, then everything.
- `recurrent_lab.probes.separators`: Which plane through the origin keeps the largest distance from the points, exactly, when distance is measured in one norm or another.
- `recurrent_lab.probes.spectrum`: Which frequencies a neuron hears: on the numbers modulo p, on the cube, and on any finite group.
- `recurrent_lab.tasks.biographies`: People who do not exist, and what is to be known about them.
- `recurrent_lab.tasks.groups`: A group is its multiplication table: cyclic, dihedral, symmetric, and products of them.
- `recurrent_lab.tasks.lotka_volterra`: A nonlinear map from a sequence to a sequence: the populations of the Lotka–Volterra equations, from what drives the prey.
- `recurrent_lab.tasks.modular`: Every equation a ∘ b = c of a small table, split at random: can the rest be known from a part?
- `recurrent_lab.tasks.parity`: Of n bits, k decide: their product is the label, and no fewer than all k of them say anything about it.
- `recurrent_lab.tasks.permutations`: Rearrangements of n things: all of them in order, composed, inverted, with their signs and cycles.
- `recurrent_lab.tasks.representations`: The Fourier basis of any finite group, computed from its multiplication table alone.
- `recurrent_lab.tasks.xor_clusters`: Four clouds in many dimensions, opposite ones alike: no linear function tells the two classes apart.
- `recurrent_lab.training.full_batch`: What `train` needs for a model that sees its whole data set at every step, under a loss that may change with time.
- `recurrent_lab.training.phases`: Runs that change on the way: another batch, rate or loss from some step on, and each arm of the comparison in one table.
- `recurrent_lab.training.reading`: What `train` needs for a language model: read a batch, predict each next token; now and then, questions.
- `recurrent_lab.training.regression`: What `train` needs for a model whose outputs are real numbers: the share of their variance that it leaves unexplained.
- `recurrent_lab.training.supervised`: What `train` needs for a model that learns labels: draw a batch, take the gradient, update; look at the test set.
- `recurrent_lab.training.until`: Descent that stops at a goal, such as a loss or an accuracy, so that solutions can be compared which learned equally much.
- `recurrent_lab.training.variants`: Models of different structure, each a population of its own, in one table."""

__version__ = "0.1.0"
