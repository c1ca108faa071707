"""What is learned: data sets and generators."""

from . import (digits, groups, listops, lotka_volterra, lra, modular, parity, permutations, recall, representations,
               temporal_order, text, xor_clusters)
