"""Scheduler: which clusters, how many replicas each, and why.

owns: `ResourceBinding.spec`, its condition Scheduled; policy status
reads: templates, policies, `Cluster`, `ResourceBinding`; rollouts, revisions
consumes: the watch of the store
publishes: facts: placement decided
"""
