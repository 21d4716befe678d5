"""Registry: the Cluster Registry.

owns: `Cluster` identity, version, API kinds, condition Joined; sealed credentials
reads: `Cluster`
consumes: COMMANDS; requests of the micro service `hanse`
publishes: facts: cluster joined, cluster left; answers to commands
"""
