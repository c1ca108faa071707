"""What learns: Equinox modules for one unbatched sequence; `jax.vmap` makes the batch."""
from . import random_attention, random_weights, word_trackers
from .algebra import *
from .attention import *
from .delta_net import *
from .dense import *
from .elimination_cell import ConvCell, gf2_cell, table_cell
from .emulation import *
from .encoder import BidirectionalAttention, Encoder, EncoderBlock
from .gated_rnn import *
from ._generate import *
from .griffin import *
from .griffin_config import *
from .griffin_files import *
from .layer_state import *
from .linear_attention import *
from .linear_memory import *
from .long_conv import ConvLM, LongConv
from .linear_mlp import LinearMLP
from .lru import *
from .mamba2 import *
from .minimal_rnn import *
from .mlp import *
from .mlstm import *
from .parity_transformer import *
from .pooling_transformer import PoolingTransformer
from .positionwise import *
from .pv_rnn import PVRNN
from .recurrence import *
from .recurrent_layers import *
from .recurrent_transformer import *
from .rglru import *
from .rnn import *
from .sequence import *
from .state_space import *
from .time_sharding import *
from .transformer import *
