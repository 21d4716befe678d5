"""The shell of load balancers that front a fleet on plain machines."""
