"""Traffic: clients find a service wherever it runs in the fleet, and its traffic is shared.

owns: status of `TrafficPolicy`
reads: `Cluster`, `ClusterGroup`, `TrafficPolicy`, `ResourceBinding`
consumes: the watch of the store; TRAFFIC; the requests `hanse.api.traffic`, `.report`
publishes: TRAFFIC; facts: split changed
"""
