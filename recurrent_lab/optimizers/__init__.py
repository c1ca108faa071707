"""How it learns: optax transformations. `scale_by_x` gives a direction, `x(learning_rate, ...)` is ready made."""
from .adahessian import *
from .adalayer import *
from .ademamix import *
from .averaging import *
from .bounded import *
from .cautious import *
from .dog import *
from .gravity import *
from .induced_metric import *
from .leafwise import *
from .mars import *
from .muon import *
from .overview import *
from .schedule_free import *
from .shampoo import *
from .soap import *
from .sophia import *
