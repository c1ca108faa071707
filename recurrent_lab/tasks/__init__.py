"""What is learned: data sets and generators."""

from . import (
    biographies,
    corpus,
    digits,
    groups,
    induction_heads,
    listops,
    lotka_volterra,
    lra,
    matrix_sensing,
    modular,
    parity,
    permutations,
    recall,
    representations,
    running_sum,
    selective_copying,
    separable,
    temporal_order,
    text,
    xor_clusters,
)
