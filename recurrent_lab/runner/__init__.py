"""What executes, records and publishes studies: command line, kernels, JupyterLab."""
