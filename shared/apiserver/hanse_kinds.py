"""Hanse's kinds as the API server sees them: `shared/api/scheme.py` in its terms."""

from dataclasses import replace

from shared.api.scheme import CATEGORY, READ_ONLY, SCHEME, HanseKind
from shared.apiserver.kinds import Column, ResourceKind


def hanse_kinds() -> list[ResourceKind]:
    return [_kind(entry) for entry in SCHEME]


def _kind(entry: HanseKind) -> ResourceKind:
    columns = tuple(
        Column(
            name=column.name,
            type=column.type,
            description=column.description,
            priority=1 if column.wide else 0,
            json_path=column.json_path,
            cell=column.cell,
        )
        for column in entry.columns
    )
    common = ResourceKind(
        gvk=entry.gvk,
        resource=entry.resource,
        singular=entry.singular,
        namespaced=entry.namespaced,
        short_names=entry.short_names,
        categories=(CATEGORY,),
        has_status=True,
        schema=entry.schema,
        columns=columns,
        selectable_fields=entry.selectable_fields,
    )
    return replace(common, verbs=READ_ONLY, has_status=False) if entry.read_only else common
