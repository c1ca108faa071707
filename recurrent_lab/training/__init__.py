"""The run itself: problems, populations of seeds and hyper-parameters, checkpoints, progress."""

from .losses import (accuracy, cross_entropy, first_output, full_batch, next_token, penalized, plain,
                     supervised, tested, unexplained_variance, with_aux)
from .population import Population, grid, train
from .problem import Problem, Process, State, weights
from .sequence import Sequence, one_after_the_other
from .variants import TUNING_SEED, Variants, best_rates, train_variants

__all__ = ["Population", "Problem", "Process", "Sequence", "State", "TUNING_SEED", "Variants",
           "accuracy", "best_rates", "cross_entropy", "first_output", "full_batch", "grid",
           "next_token", "one_after_the_other", "penalized", "plain", "supervised", "tested", "train",
           "train_variants", "unexplained_variance", "weights", "with_aux"]
