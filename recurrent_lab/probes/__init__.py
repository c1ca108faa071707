"""What is measured on a model."""
from . import (
    adaptive_drift,
    certificates,
    clipping_bias,
    coherence,
    connectivity,
    curvature,
    generalization_gap,
    gradient_flow,
    linear_regression,
    margin,
    memory,
    parity_gradient,
    regression_bounds,
    run_variance,
    separators,
    spectrum,
)
