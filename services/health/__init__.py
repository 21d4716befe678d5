"""Health: is a member reachable, what room it has, how its workloads do.

owns: `Cluster` conditions, taints, capacity, fence, latencies; status of bindings and templates
reads: `Cluster`, `ResourceBinding`, `TrafficPolicy`, templates; sealed credentials
consumes: STATUS; HEALTH; HEARTBEATS; probes of members; the request `hanse.api.health`
publishes: HEALTH; HEARTBEATS; facts: every verdict on a cluster, cluster tainted, fenced
"""
