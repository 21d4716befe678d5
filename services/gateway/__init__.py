"""Gateway: the Federated API Server: the Kubernetes REST API over the store.

owns: what users write; sealed credentials
reads: everything in OBJECTS; WORK and STATUS for the view `Work`; EVENTS for `Event` objects
consumes: requests over HTTPS
publishes: -
"""
