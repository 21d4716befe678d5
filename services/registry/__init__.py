"""Registry: the Cluster Registry.

owns: `Cluster` identity, version, API kinds, condition Joined; what other systems write by command
reads: `Cluster`; sealed credentials, which it removes with their cluster
consumes: COMMANDS; requests of the micro service `hanse`; STATUS of definitions; DEAD
publishes: facts: cluster joined, cluster left; answers to commands; SCORES; retried dead letters
"""
