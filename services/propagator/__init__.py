"""Propagator: what each member must hold (dispatch), and one worker per member that makes it so.

owns: WORK (dispatch); member clusters and STATUS (apply)
reads: `ResourceBinding`, templates, override policies, `Cluster`
consumes: the watch of the store; WORK
publishes: facts: work applied, drift corrected
"""
