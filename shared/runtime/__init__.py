"""Running a service as a process: start and stop order, probes, settings from the environment."""
