"""What is measured on a model."""
from . import certificates, error_wall, gradient_flow, hidden_progress, margin, memory, polynet_flow, spectrum
