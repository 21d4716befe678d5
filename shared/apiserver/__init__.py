"""Serving the Kubernetes REST API over an `ObjectStore`; the gateway and the simulator use it."""
