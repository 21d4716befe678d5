"""Ready-made interpreters: `ResourceInterpreter` objects for kinds that many clusters have.

Each file holds the kinds of one project, as its documented API has them; what a file does not say
is answered as for any kind. They are declared as a user would, so that any of them can be copied,
changed and applied, and then speaks before the one that is brought along.
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import yaml

from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import read


def known_documents() -> Iterator[dict[str, Any]]:
    """Yield every document as it is written, by file and place within it."""
    for file in sorted(resources.files(__package__).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            yield from yaml.load_all(file.read_bytes(), Loader=_LOADER)


@cache
def known_declarations() -> tuple[ResourceInterpreter, ...]:
    return tuple(read(document, ResourceInterpreter) for document in known_documents())


# Ten times as fast, where it was built.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
