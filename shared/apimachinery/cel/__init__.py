"""The Common Expression Language as Kubernetes has it in `x-kubernetes-validations`.

The engine is Google's own (`cel-expr-python`, cel-cpp underneath; ADR 9): it parses, checks types
and evaluates within 10,000 iterations. Here is what Kubernetes adds to it:

`declarations` types of a schema, so that a rule is checked before it is stored
`values`       objects as the engine takes them
`environment`  the engine with Kubernetes' functions (`texts`, `lists`, `networks`, `quantities`)
`rule`         one rule: compiled with its faults, evaluated with its message

What the engine lacks is refused when the rule is stored: the `format` library, and comprehensions
over two variables.
"""
