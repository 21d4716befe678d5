"""Health: is a member reachable, what room it has, how its workloads do.

owns: `Cluster` conditions, taints, capacity; status of bindings and templates
reads: `Cluster`, `ResourceBinding`, templates; sealed credentials
consumes: STATUS; HEALTH; probes of members; the request `hanse.api.health`
publishes: HEALTH; facts: every verdict on a cluster, cluster tainted
"""
