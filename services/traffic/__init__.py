"""Traffic: clients find a service wherever it runs in the fleet, and its traffic is shared.

owns: nothing yet: what members export is only known here
reads: `Cluster`
consumes: the watch of the store
publishes: -
"""
