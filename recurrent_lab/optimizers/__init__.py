"""How it learns: optax transformations.

`scale_by_x` gives a direction, `x(learning_rate, ...)` is ready made. A module that is called like
its optimizer has an underscore (`_soap` beside `soap`, as in optax); all that it defines is here."""
from ._adahessian import AdaHessianState, adahessian, block_mean, hutchinson, scale_by_adahessian
from ._adalayer import AdalayerState, adalayer, scale_by_adalayer
from ._ademamix import (AcceleratedSGDState, AdEMAMixState, SimplifiedAdEMAMixState, accelerated_sgd,
                        ademamix, half_life_warmup, scale_by_accelerated_sgd, scale_by_ademamix,
                        scale_by_simplified_ademamix, simplified_ademamix)
from ._cautious import (cautious, cautious_adamw, correct_updates, grams, mask_disagreement,
                        scale_by_grams, take_sign)
from ._gauss_newton import (conjugate_gradients, gauss_newton, gauss_newton_cg, line_search,
                            line_searched, scale_by_gauss_newton, solve_batch_system)
from ._gravity import GravityState, gravity, scale_by_gravity
from ._induced_metric import Form, InducedMetricState, induced_metric, scale_by_induced_metric
from ._leafwise import (RANGES, AdamHatState, DType, Mask, Rate, Transformation, adam_hat,
                        apply_updates_stochastically, check_range, decoupled, ema, leafwise, replay,
                        resharded, round_stochastically, scale_by_adam_hat, tree_ema, wide_zeros,
                        widen, zero_fields)
from ._lotion import lotion, rounding_variance
from ._mars import (MarsState, correct_by_exact_mars, correct_by_mars, mars, mars_gradient,
                    scale_by_mars)
from ._muon import (NEWTON_SCHULZ, POLAR_EXPRESS, MuonState, is_hidden_matrix, is_matrix, matrices,
                    muon, muon_matrices, orthogonalize, partition_by, scale_by_muon)
from ._mx_matmul import mx_matmul, round_mx_along
from ._schedule_free import (ScheduleFreeState, eval_params, schedule_free, schedule_free_adamw,
                             schedule_free_sgd, solve_average)
from ._shampoo import GraftState, ShampooState, graft, inverse_root, scale_by_shampoo, shampoo
from ._soap import (DecayAfterState, SOAPState, decay_after, eigenbasis, factor, identities,
                    preconditioned_axes, refresh_basis, rotate, scale_by_soap, soap)
from .averaging import (average_params, averaged_params, exponential_weights, polynomial_weights,
                        rsqrt_schedule, tail_weights, uniform_weights, wsd_schedule)
from .blocks import Blocks, block_length, blocks_of, blockwise, merge_axes
from .bounded import adabound, adopt, amsgrad, scale_by_adabound
from .checkpoint_average import AverageWithState, average_with, equal_penalty, retained
from .choice import either
from .clipping import clip_by_array_norm, grades
from .dog import l_dog, scale_by_l_dog
from .estimators import feedback_loss, spsa, value_and_forward_grad
from .gradient_normalized import gradient_normalized_step, shifted_newton, trusted_radius
from .newton import damped_newton, regularized_newton
from .overview import state_bytes
from .parametrization import rate_factors, scale_by_width
from .proximal import moreau, prox_linear_step, prox_phase, prox_point_step, soft_threshold_step
from .psgd import (PSGDState, annealed_probability, fit_factors, precondition, psgd_kron,
                   scale_by_psgd_kron)
from .quantize import (E2M1, E2M3, E3M2, E4M3, E5M2, INT8, int_scale, round_float, round_int, round_mx,
                       straight_through)
from .reparametrize import powerprop, powerprop_inverse, powerprop_preconditioner, soft_threshold
from .shared_spsa import from_slopes, machine_keys, slope_along
from .sophia import sampled_gradient, scale_by_sophia_g, sophia_g
from .variance_reduced import ai_sarah, implicit_rate, sarah, svrg
