"""Propagator: what each member must hold (dispatch), and one worker per member that makes it so.

owns: WORK, condition OverridesApplied (dispatch); member clusters and STATUS (apply)
reads: `ResourceBinding`, templates, override policies, `Cluster`; sealed credentials
consumes: the watch of the store; WORK; STATUS of removals; the request `hanse.api.render`
publishes: facts: work applied, work removed, drift and its end, override failed
"""
