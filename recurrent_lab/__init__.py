"""Recurrent models and learning dynamics: papers as notebooks whose claims are asserted on every run

Modules:

- `recurrent_lab.models.algebra`: Two-layer nets with power activations for group operations (`PairNet`) and for parities (`PowerNet`) (Morwani et al. 2023, arXiv 2311.07568).
- `recurrent_lab.models.attention`: Local multi-query attention with rotary positions, in time and memory linear in the length (De et al. 2024, arXiv 2402.19427).
- `recurrent_lab.models.delta_net`: DeltaNet and Gated DeltaNet: fast weights that are corrected before they are written to, with negative eigenvalues on request (Yang et al. 2024, arXiv 2406.06484, 2412.06464; Grazzi et al. 2024, arXiv 2411.12537).
- `recurrent_lab.models.emulation`: Weights with which a recurrent Transformer computes what a given Transformer, or a given RNN, computes (Oncescu et al. 2026, arXiv 2604.21215).
- `recurrent_lab.models.feedback_attention`: Attention to a layer's own outputs, computed in tiles: each key is read from memory log N times instead of N (Oncescu et al. 2026, arXiv 2604.21215).
- `recurrent_lab.models.gated_rnn`: LSTM and GRU, the gated recurrent networks of 1997 and 2014, both as one loop over plain products (Hochreiter & Schmidhuber 1997; Gers et al. 2000; Cho et al. 2014, arXiv 1406.1078).
- `recurrent_lab.models.griffin`: Hawk, Griffin and RecurrentGemma: language models of gated linear recurrences and local attention (De et al. 2024, arXiv 2402.19427; Botev et al. 2024, arXiv 2404.07839).
- `recurrent_lab.models.griffin_config`: Configurations of Griffin, Hawk and RecurrentGemma: the published sizes, and small ones to train on a laptop.
- `recurrent_lab.models.griffin_files`: RecurrentGemma's published weights, loaded from and saved to Orbax folders and safetensors.
- `recurrent_lab.models.griffin_names`: The names of RecurrentGemma's parameters in flax, PyTorch and Hugging Face checkpoints, and the way between them.
- `recurrent_lab.models.layer_state`: The state from which a recurrent layer goes on: zeros, or the one that is given, if it is a state of that layer.
- `recurrent_lab.models.linear_attention`: Linear attention with decay, and the delta rule, computed in chunks by matrix products (Dao & Gu 2024, arXiv 2405.21060; Yang et al. 2024, arXiv 2406.06484, 2412.06464).
- `recurrent_lab.models.linear_memory`: A diagonal linear recurrence followed by a position-wise MLP, a universal sequence model (Orvieto et al. 2023, arXiv 2307.11888).
- `recurrent_lab.models.lru`: LRU, the linear recurrent unit, and each step of the ablation from a vanilla RNN to it (Orvieto et al. 2023, arXiv 2303.06349).
- `recurrent_lab.models.mamba2`: Mamba-2: a selective state space model with one decay for each head, which makes it attention with decay, computed in chunks (Dao & Gu 2024, arXiv 2405.21060).
- `recurrent_lab.models.minimal_rnn`: minGRU and minLSTM: gated recurrent networks whose gates see the input alone, so that they are linear recurrences (Feng et al. 2024, arXiv 2410.01201).
- `recurrent_lab.models.mlp`: Two-layer nets, single neurons and PolyNet for sparse parities, with ReLU, polynomial and oscillating activations (Barak et al. 2022, arXiv 2207.08799).
- `recurrent_lab.models.mlstm`: mLSTM, the matrix memory of xLSTM: exponential gates, a normaliser, and a stabiliser that leaves no trace (Beck et al. 2024, arXiv 2405.04517).
- `recurrent_lab.models.parity_transformer`: One layer of attention with a single query, and an MLP, for sparse parities (Barak et al. 2022, arXiv 2207.08799).
- `recurrent_lab.models.positionwise`: Position-wise layers of Griffin: linear and block-diagonal maps, RMSNorm, the gated MLP (De et al. 2024, arXiv 2402.19427).
- `recurrent_lab.models.recurrent_layers`: Every recurrent layer of the lab in one table: size of the state, parameters, operations per token, what it can follow; and any of them in the place of Griffin's RG-LRU.
- `recurrent_lab.models.recurrent_transformer`: The recurrent Transformer: layers that attend to their own outputs, trained in tiles (Oncescu et al. 2026, arXiv 2604.21215).
- `recurrent_lab.models.rglru`: RG-LRU, the gated linear recurrence of Griffin and Hawk, its complex form, and the short convolution before it (De et al. 2024, arXiv 2402.19427).
- `recurrent_lab.models.rnn`: The vanilla RNN with the three initialisations of Pascanu et al. 2013 (arXiv 1211.5063).
- `recurrent_lab.models.sequence`: Residual blocks around any recurrent layer, the deep sequence model made of them, and its optimizer (Orvieto et al. 2023, arXiv 2303.06349, appendix D).
- `recurrent_lab.models.state_space`: S4D and S5: diagonal linear systems in continuous time, discretised with a learned step and started from HiPPO (Gu et al. 2022, arXiv 2206.11893; Smith et al. 2023, arXiv 2208.04933).
- `recurrent_lab.models.transformer`: The Transformer to compare with: Griffin's blocks with global multi-query attention (De et al. 2024, arXiv 2402.19427).
- `recurrent_lab.models.word_trackers`: Weights with which a complex gated recurrence counts modulo p, two of them follow the symmetries of a polygon, and one DeltaNet follows n things that are swapped (after Grazzi et al. 2024, arXiv 2411.12537).
- `recurrent_lab.probes.certificates`: Nets of the largest normalised margin, written down: modular addition, finite groups, parities (Morwani et al. 2023, arXiv 2311.07568).
- `recurrent_lab.probes.gradient_flow`: Vanishing and exploding gradients in an RNN: norms back through time, Jacobians and their bound, the regulariser Ω (Pascanu et al. 2013, arXiv 1211.5063).
- `recurrent_lab.probes.linear_regression`: The expected risk of SGD, momentum, averaging and Schedule-Free on Gaussian linear regression, by an exact recursion (Meterez et al. 2025, arXiv 2506.15535).
- `recurrent_lab.probes.margin`: Normalised margins of homogeneous nets, and the largest possible ones for three algebraic tasks (Morwani et al. 2023, arXiv 2311.07568).
- `recurrent_lab.probes.memory`: Inputs of a diagonal linear recurrence reconstructed from its last state: Vandermonde matrices and their condition (Orvieto et al. 2023, arXiv 2307.11888).
- `recurrent_lab.probes.parity_gradient`: The gradient of a neuron on a sparse parity, exactly: coefficients of majority, and their Fourier gap (Barak et al. 2022, arXiv 2207.08799).
- `recurrent_lab.probes.recall_bounds`: What a state of so many bits, and a matrix of so many numbers, can answer of D stored pairs: the counting bound, and the interference of random keys under the additive and the delta rule.
- `recurrent_lab.probes.separators`: Linear separators of maximal margin in the ℓ2 and the ℓ∞ norm, with the dual bound that proves it (Soudry et al. 2017, arXiv 1710.10345; Gunasekar et al. 2018, arXiv 1802.08246).
- `recurrent_lab.probes.spectrum`: Fourier spectra of neurons' weights: modulo p, on the cube, and on any finite group (Nanda et al. 2023, arXiv 2301.05217; Morwani et al. 2023, arXiv 2311.07568).
- `recurrent_lab.tasks.biographies`: Synthetic biographies, for learning facts by heart: people, attributes, values, phrased at random (Zucchet et al. 2025, arXiv 2503.21676).
- `recurrent_lab.tasks.groups`: Finite groups as multiplication tables: cyclic, dihedral, symmetric, and products (Power et al. 2022, arXiv 2201.02177; Morwani et al. 2023, arXiv 2311.07568).
- `recurrent_lab.tasks.lotka_volterra`: Regression from sequence to sequence: the populations of controlled Lotka–Volterra equations from their control.
- `recurrent_lab.tasks.modular`: Binary operations modulo a prime and on permutations, of whose equations a random part is for training: the tasks of grokking (Power et al. 2022, arXiv 2201.02177).
- `recurrent_lab.tasks.parity`: Sparse parity: the product of k of n bits, with fresh points or from a fixed sample (Barak et al. 2022, arXiv 2207.08799).
- `recurrent_lab.tasks.permutations`: Permutations of n things: all of them in order, rank, composition, inverse, sign and cycle type.
- `recurrent_lab.tasks.representations`: Real irreducible representations and characters of a finite group, computed from its multiplication table.
- `recurrent_lab.tasks.word_problem`: Words over a finite group, and after every letter the product so far: what a model must do to track a state (Merrill et al. 2024, arXiv 2404.08819; Grazzi et al. 2024, arXiv 2411.12537).
- `recurrent_lab.tasks.xor_clusters`: XOR of four Gaussian clusters in high dimension, with label noise (Xu et al. 2023, arXiv 2310.02541)."""

__version__ = "0.1.0"
