"""What is learned: data sets and generators."""

from . import (
    biographies,
    corpus,
    digits,
    gf2,
    groups,
    induction_heads,
    listops,
    lotka_volterra,
    lra,
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
