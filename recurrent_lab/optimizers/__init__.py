"""How it learns: optax transformations. `scale_by_x` gives a direction, `x(learning_rate, ...)` is ready made."""
from .adahessian import adahessian, hutchinson, scale_by_adahessian
from .adalayer import adalayer, scale_by_adalayer
from .ademamix import (accelerated_sgd, ademamix, half_life_warmup, scale_by_accelerated_sgd,
                       scale_by_simplified_ademamix, simplified_ademamix)
from .averaging import (average_params, averaged_params, exponential, polynomial, rsqrt_schedule, tail,
                        uniform, wsd_schedule)
from .bounded import adabound, adopt, amsgrad, scale_by_adabound
from .cautious import cautious, cautious_adamw, grams, scale_by_grams
from .clipping import clip_by_array_norm, grades
from .dog import l_dog, scale_by_l_dog
from .estimators import feedback_loss, spsa, value_and_forward_grad
from .gauss_newton import gauss_newton, gauss_newton_cg, line_search, scale_by_gauss_newton
from .gravity import gravity, scale_by_gravity
from .induced_metric import induced_metric, scale_by_induced_metric
from .leafwise import decoupled, leafwise, replay, scale_by_adam_hat
from .lotion import lotion, rounding_variance
from .mars import correct_by_mars, mars, scale_by_mars
from .muon import is_matrix, muon, orthogonalize, scale_by_muon, split
from .newton import damped_newton, regularized_newton
from .overview import state_bytes
from .quantize import (E2M1, E2M3, E3M2, E4M3, E5M2, INT8, int_scale, round_float, round_int, round_mx,
                       straight_through)
from .reparametrize import powerprop, powerprop_inverse, powerprop_preconditioner, soft_threshold
from .schedule_free import schedule_free_adamw, schedule_free_sgd
from .shampoo import graft, scale_by_shampoo, shampoo
from .soap import scale_by_soap, soap
from .sophia import sampled_gradient, scale_by_sophia_g, sophia_g
from .target import either, steps_to_target, tune
