"""What Hanse knows of a kind: replicas, health, how statuses add up.

`Interpreter` answers for one kind and `Interpreters` finds it; the other modules hold, question by
question, the answers for built-in kinds. A kind without an entry has no replicas, and is judged and
added up by the conditions that most controllers report.
"""
