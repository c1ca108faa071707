"""What is learned: data sets and generators."""

from . import biographies, digits, listops, lotka_volterra, lra, recall, running_sum, temporal_order, text
