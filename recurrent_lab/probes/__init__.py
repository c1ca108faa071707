"""What is measured on a model."""
from . import certificates, error_wall, gradient_flow, hidden_progress, margin, memory, polynet_flow, spectrum
from . import error_wall, gradient_flow, linear_regression, memory, regression_bounds
