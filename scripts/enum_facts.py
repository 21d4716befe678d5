"""Write `shared/apiserver/openapi/enums.json`: which words the fields of built-in kinds may hold.

The published definitions that `schema_facts.py` reads leave them out; a kube-apiserver's own
documents have them. They are for `kubectl explain` and for generated clients: what is allowed is
judged by the kinds' own rules.

    python scripts/enum_facts.py FOLDER

FOLDER holds what a kube-apiserver of the version of the facts serves under `/openapi/v3`, a file
for each group and version.
"""

import json
import sys
from pathlib import Path
from typing import Any

from shared.apimachinery import facts

RESULT = Path(__file__).parents[1] / "shared" / "apiserver" / "openapi" / "enums.json"


def main() -> None:
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(Path(sys.argv[1]).glob("*.json")):
        schemas = json.loads(path.read_text()).get("components", {}).get("schemas", {})
        for name, schema in schemas.items():
            words = dict(words_of(schema)) if name in facts.definitions() else {}
            if words:
                found[name] = words
    text = json.dumps(dict(sorted(found.items())), separators=(",", ":"))
    RESULT.write_text(text.replace("},", "},\n") + "\n")
    print(f"{sum(map(len, found.values()))} fields of {len(found)} types")


def words_of(schema: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return each field whose value, or whose list's items, are of a few words."""
    fields = sorted(schema.get("properties", {}).items())
    found = [
        (field, each.get("enum") or each.get("items", {}).get("enum")) for field, each in fields
    ]
    return [(field, words) for field, words in found if words]


if __name__ == "__main__":
    main()
