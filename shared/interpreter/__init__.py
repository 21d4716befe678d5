"""What Hanse knows of a kind: replicas, health, dependencies, how statuses add up.

The functions below are the whole interface; built-in kinds are tables in this package's modules.
A kind without an entry has no replicas, is Healthy once it exists, and its statuses do not add up
(the template's status stays empty).
"""
