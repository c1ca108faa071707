"""What is learned: data sets and generators."""

from . import biographies, digits, listops, lotka_volterra, lra, recall, temporal_order, text
