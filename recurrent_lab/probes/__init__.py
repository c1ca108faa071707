"""What is measured on a model."""
from . import (
    adaptive_drift,
    certificates,
    clipping_bias,
    generalization_gap,
    gradient_flow,
    linear_regression,
    margin,
    mean_field,
    memory,
    parity_gradient,
    random_features,
    regression_bounds,
    separators,
    spectrum,
)
