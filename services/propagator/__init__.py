"""Propagator: what each member must hold (dispatch), and one worker per member that makes it so.

owns: WORK, failed overrides, revisions, status of rollouts (dispatch); members and STATUS (apply)
reads: bindings, rollouts, templates, override policies, `Cluster`; sealed credentials
consumes: the watch of the store; WORK; STATUS and facts of removals; the request `hanse.api.render`
publishes: HEARTBEATS; ENDPOINTS; LATENCIES; facts: works, drift, override failed, rollouts
"""
