"""What is learned: data sets and generators."""

from . import (
    biographies,
    corpus,
    digits,
    induction_heads,
    listops,
    lotka_volterra,
    lra,
    recall,
    running_sum,
    selective_copying,
    temporal_order,
    text,
)
