"""What is measured on a model."""
from . import (
    certificates,
    gradient_flow,
    hidden_progress,
    linear_regression,
    margin,
    memory,
    polynet_flow,
    regression_bounds,
    separators,
    spectrum,
)
