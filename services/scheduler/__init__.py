"""Scheduler: which clusters, how many replicas each, and why.

owns: binding specs, Scheduled, ReferencesFound; status of policies, rebalancers, quotas, groups
reads: templates, policies, `Cluster`, `ResourceBinding`; rollouts; EVENTS; SCORES; LATENCIES
consumes: the watch of the store; requests `hanse.api.explain`, `.plan`; answers of plugins
publishes: facts: placement decided, placement stalled, reference missed
"""
