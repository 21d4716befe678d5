"""Health: is a member reachable, what room it has, how its workloads do.

owns: `Cluster` conditions, taints, capacity; aggregated status
reads: `Cluster`, `ResourceBinding`, templates
consumes: STATUS; HEALTH; probes of members
publishes: HEALTH; facts: cluster became unreachable, cluster recovered
"""
