"""Manifests in files that are named on the command line."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from shared.apimachinery.manifest import Manifest
from shared.apiserver.requests.bodies import KubernetesLoader
from shared.errors import InvalidObject


def read_files(paths: Sequence[Path]) -> list[Manifest]:
    """Return the objects of YAML and JSON files, `-` being the standard input; lists are opened.

    Raises `InvalidObject` that names the file, and OSError.
    """
    found: list[Manifest] = []
    for path in paths:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        try:
            documents = list(yaml.load_all(text, Loader=KubernetesLoader))
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise InvalidObject(f"{path} is not YAML: {' '.join(str(err).split())}") from err
        for document in documents:
            found += _opened(document, path)
    return found


def _opened(document: Any, path: Path) -> Iterator[Manifest]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise InvalidObject(f"{path} holds something that is no object")
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _opened(item, path)
    else:
        yield document
