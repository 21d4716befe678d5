"""How long fuzzing goes on: briefly among the other tests, longer by `make fuzz`."""

import os

EXAMPLES = int(os.environ.get("HANSE_FUZZ_EXAMPLES", "12"))
"""Per property."""

PATHS = int(os.environ.get("HANSE_FUZZ_PATHS", "2"))
"""Per group of the API."""
