"""The definitions of the standard's kinds, for the hub and for members that lack them (pure).

The fields are those of KEP-1645 (v1beta1 and v1alpha1 alike), KEP-4322 and KEP-2149; the wording of
the schemas is our own. A member that has a definition of that name keeps its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.api.multicluster import (
    ABOUT_GROUP,
    EXPORT,
    EXPORTS,
    IMPORT,
    IMPORTS,
    MULTICLUSTER_GROUP,
    PROFILE,
    PROFILES,
    PROPERTIES,
    PROPERTY,
)
from shared.apimachinery.manifest import Manifest

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}


def _map(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties)}
    return {**found, "required": list(required)} if required else found


def _list(items: Schema, **rest: Any) -> Schema:
    return {"type": "array", "items": items, **rest}


def _keyed(items: Schema, key: str) -> Schema:
    kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", "items": items, **kind}


_CONDITIONS = _keyed(
    _map(
        {
            "type": {**_TEXT, "maxLength": 316},
            "status": {**_TEXT, "enum": ["True", "False", "Unknown"]},
            "reason": {**_TEXT, "minLength": 1, "maxLength": 1024},
            "message": {**_TEXT, "maxLength": 32768},
            "lastTransitionTime": {**_TEXT, "format": "date-time"},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        },
        ("type", "status", "reason", "message", "lastTransitionTime"),
    ),
    "type",
)

_EXPORT = _map(
    {
        "spec": _map({"exportedLabels": _TEXTS, "exportedAnnotations": _TEXTS}),
        "status": _map({"conditions": _CONDITIONS}),
    }
)

_PORT = _map(
    {
        "name": _TEXT,
        "protocol": {**_TEXT, "default": "TCP"},
        "appProtocol": _TEXT,
        "port": {"type": "integer", "format": "int32"},
    },
    ("port",),
)
_SECONDS = {"type": "integer", "format": "int32"}
_AFFINITY = _map({"clientIP": _map({"timeoutSeconds": _SECONDS})})
_IMPORT = _map(
    {
        "spec": _map(
            {
                "ports": _list(_PORT, **{"x-kubernetes-list-type": "atomic"}),
                "ips": _list(_TEXT, maxItems=2),
                "type": {**_TEXT, "enum": ["ClusterSetIP", "Headless"]},
                "sessionAffinity": _TEXT,
                "sessionAffinityConfig": _AFFINITY,
                "ipFamilies": _list(_TEXT, maxItems=2),
                "internalTrafficPolicy": _TEXT,
                "trafficDistribution": _TEXT,
            },
            ("ports", "type"),
        ),
        "status": _map(
            {
                "clusters": _keyed(_map({"cluster": _TEXT}, ("cluster",)), "cluster"),
                "conditions": _CONDITIONS,
            }
        ),
    }
)

_PROPERTY = _map({"spec": _map({"value": {**_TEXT, "maxLength": 128000}}, ("value",))}, ("spec",))
_NAMED = _map(
    {
        "name": {**_TEXT, "maxLength": 253},
        "value": {**_TEXT, "maxLength": 1024},
        "lastObservedTime": {**_TEXT, "format": "date-time"},
    },
    ("name", "value"),
)
_ACCESS = _map(
    {
        "name": _TEXT,
        "cluster": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    ("name",),
)
_PROFILE = _map(
    {
        "spec": _map(
            {"displayName": _TEXT, "clusterManager": _map({"name": _TEXT}, ("name",))},
            ("clusterManager",),
        ),
        "status": _map(
            {
                "conditions": _CONDITIONS,
                "version": _map({"kubernetes": _TEXT}),
                "properties": _list(_NAMED),
                "accessProviders": _keyed(_ACCESS, "name"),
                "credentialProviders": _keyed(_ACCESS, "name"),
            }
        ),
    },
    ("spec",),
)


def _column(name: str, path: str, kind: str = "string") -> dict[str, str]:
    return {"name": name, "jsonPath": path, "type": kind}


_AGE = _column("Age", ".metadata.creationTimestamp", "date")


def _definition(
    names: tuple[str, str, Sequence[str]],
    group: str,
    versions: Sequence[str],
    schema: Schema,
    columns: Sequence[Mapping[str, str]],
    *,
    namespaced: bool = True,
) -> Manifest:
    """The first of *versions* is the one that is stored."""
    kind, plural, short_names = names
    status: Schema = {"subresources": {"status": {}}} if "status" in schema["properties"] else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Who installs what ends in .k8s.io says that it is not Kubernetes' own (KEP-1111).
            "annotations": {"api-approved.kubernetes.io": _APPROVED[group]},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                **({"shortNames": list(short_names)} if short_names else {}),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [*columns, _AGE],
                    **status,
                }
                for version in versions
            ],
        },
    }


_APPROVED = {
    MULTICLUSTER_GROUP: "https://github.com/kubernetes-sigs/mcs-api",
    ABOUT_GROUP: "https://github.com/kubernetes/enhancements/pull/3084",
}

EXPORT_DEFINITION = _definition(
    (EXPORT, EXPORTS, ("svcex", "svcexport")),
    MULTICLUSTER_GROUP,
    ("v1beta1", "v1alpha1"),
    _EXPORT,
    [
        _column("Valid", '.status.conditions[?(@.type=="Valid")].status'),
        _column("Conflict", '.status.conditions[?(@.type=="Conflict")].status'),
    ],
)
IMPORT_DEFINITION = _definition(
    (IMPORT, IMPORTS, ("svcim", "svcimport")),
    MULTICLUSTER_GROUP,
    ("v1beta1", "v1alpha1"),
    _IMPORT,
    [_column("Type", ".spec.type"), _column("IP", ".spec.ips")],
)
PROFILE_DEFINITION = _definition(
    (PROFILE, PROFILES, ()),
    MULTICLUSTER_GROUP,
    ("v1alpha1",),
    _PROFILE,
    [
        _column("Version", ".status.version.kubernetes"),
        _column("Healthy", '.status.conditions[?(@.type=="ControlPlaneHealthy")].status'),
    ],
)
PROPERTY_DEFINITION = _definition(
    (PROPERTY, PROPERTIES, ()),
    ABOUT_GROUP,
    ("v1beta1",),
    _PROPERTY,
    [_column("Value", ".spec.value")],
    namespaced=False,
)

AT_HUB = (EXPORT_DEFINITION, IMPORT_DEFINITION, PROFILE_DEFINITION)
IN_MEMBERS = (EXPORT_DEFINITION, IMPORT_DEFINITION, PROPERTY_DEFINITION)
