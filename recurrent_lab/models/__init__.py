"""What learns: Equinox modules for one unbatched sequence; `jax.vmap` makes the batch."""
from .attention import *
from .emulation import *
from .generate import *
from .griffin import *
from .griffin_config import *
from .griffin_files import *
from .linear_memory import *
from .lru import *
from .positionwise import *
from .recurrence import *
from .recurrent_transformer import *
from .rglru import *
from .rnn import *
from .sequence import *
from .transformer import *
