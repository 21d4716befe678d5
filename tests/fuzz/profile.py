"""How long fuzzing goes on: briefly among the other tests, longer by `make fuzz`."""

import os

EXAMPLES = int(os.environ.get("HANSE_FUZZ_EXAMPLES", "15"))
"""Per property."""
