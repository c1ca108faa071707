"""What learns: Equinox modules for one unbatched sequence; `jax.vmap` makes the batch."""
from .algebra import *
from .attention import *
from .generate import *
from .gram import *
from .griffin import *
from .griffin_config import *
from .griffin_files import *
from .linear_memory import *
from .lru import *
from .mlp import *
from .parity_transformer import *
from .positionwise import *
from .recurrence import *
from .rglru import *
from .rnn import *
from .sequence import *
