"""What is measured on a model."""
from . import error_wall, gradient_flow, linear_regression, memory, regression_bounds
