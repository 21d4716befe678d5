"""Traffic: clients find a service wherever it runs in the fleet, and its traffic is shared.

owns: imports, profiles, routes, DNSEndpoint; status of exports, `TrafficPolicy`, `GlobalZone`; WORK
reads: `Cluster`, `ClusterGroup`, `TrafficPolicy`, `GlobalZone`, `ResourceBinding`, ServiceExport
consumes: the store's watch; ENDPOINTS; WORK; STATUS; TRAFFIC; `hanse.api.traffic`, `.report`; DNS
publishes: ENDPOINTS; TRAFFIC; facts: split and zone changed, services
"""
