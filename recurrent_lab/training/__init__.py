"""The run itself: populations of seeds and hyper-parameters, checkpoints, progress."""

from .full_batch import full_batch
from .phases import train_phases
from .population import Population, grid, train
from .reading import reading
from .supervised import supervised
from .until import until
from .variants import train_each

__all__ = ["Population", "full_batch", "grid", "train", "reading", "supervised", "train_each", "train_phases", "until"]
