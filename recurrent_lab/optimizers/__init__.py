"""How it learns: optax transformations. `scale_by_x` gives a direction, `x(learning_rate, ...)` is ready made."""
from .leafwise import *
from .soap import *
