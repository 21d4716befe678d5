"""Traffic: clients find a service wherever it runs in the fleet, and its traffic is shared.

owns: ServiceImport, ClusterProfile; status of ServiceExport, `TrafficPolicy`; imports in WORK
reads: `Cluster`, `ClusterGroup`, `TrafficPolicy`, `ResourceBinding`, ServiceExport
consumes: the watch of the store; ENDPOINTS; WORK; STATUS; TRAFFIC; `hanse.api.traffic`, `.report`
publishes: ENDPOINTS; TRAFFIC; facts: split changed
"""
