"""The words of SIG Multicluster: groups, kinds, labels, condition types and reasons.

Multi-Cluster Services (KEP-1645), ClusterProfile (KEP-4322) and the About API (KEP-2149). Both
versions of the first have the same fields, so converting changes nothing but `apiVersion`.
"""

import hashlib

from shared.apimachinery.manifest import GroupResource, ObjectKey

MULTICLUSTER_GROUP = "multicluster.x-k8s.io"
SERVICES_VERSION = "v1beta1"
"""That in which Hanse writes where it is served; v1alpha1 is served at the hub too."""
SERVICES_API = f"{MULTICLUSTER_GROUP}/{SERVICES_VERSION}"
OLD_SERVICES_API = f"{MULTICLUSTER_GROUP}/v1alpha1"
"""That of members whose own definitions know no newer one."""
PROFILE_API = f"{MULTICLUSTER_GROUP}/v1alpha1"
ABOUT_GROUP = "about.k8s.io"
ABOUT_API = f"{ABOUT_GROUP}/v1beta1"

EXPORT, EXPORTS = "ServiceExport", "serviceexports"
IMPORT, IMPORTS = "ServiceImport", "serviceimports"
PROFILE, PROFILES = "ClusterProfile", "clusterprofiles"
PROPERTY, PROPERTIES = "ClusterProperty", "clusterproperties"

SERVICE_EXPORTS = GroupResource(MULTICLUSTER_GROUP, EXPORTS)
SERVICE_IMPORTS = GroupResource(MULTICLUSTER_GROUP, IMPORTS)
CLUSTER_PROFILES = GroupResource(MULTICLUSTER_GROUP, PROFILES)

SERVICE_NAME_LABEL = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster"
DERIVED_SERVICE = "multicluster.kubernetes.io/derived-service"
"""Annotation of a ServiceImport: the Service by which its member's clients reach it."""

MANAGER = "traffic.hanse.dev"
"""Who keeps what is made of imports in members, as these labels of theirs say."""
SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_MANAGED_BY = "app.kubernetes.io/managed-by"

CLUSTERSET_DOMAIN = "clusterset.local"
"""Multicluster DNS 1.0.0 has it no other way."""
CLUSTER_OPTION = 0xFEED
"""Of EDNS, of the range for local use: it names the member that asks, whose own CoreDNS sets it."""

CLUSTER_ID = "cluster.clusterset.k8s.io"
CLUSTERSET_ID = "clusterset.k8s.io"

# Conditions of a ServiceExport, and their reasons.
VALID, NO_SERVICE, INVALID_SERVICE_TYPE = "Valid", "NoService", "InvalidServiceType"
READY, EXPORTED, PENDING, FAILED = "Ready", "Exported", "Pending", "Failed"
CONFLICT, NO_CONFLICTS = "Conflict", "NoConflicts"
# Of a ServiceImport.
IP_FAMILY_NOT_SUPPORTED = "IPFamilyNotSupported"


def export_key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey(MULTICLUSTER_GROUP, EXPORTS, namespace, name)


def derived_service_name(namespace: str, name: str) -> str:
    """The name of the Service derived from an import, the same in every member."""
    digest = hashlib.blake2b(f"{namespace}/{name}".encode(), digest_size=5)
    return f"derived-{digest.hexdigest()}"


def service_key(namespace: str, name: str) -> ObjectKey:
    """That of the Service derived from an import."""
    return ObjectKey("", "services", namespace, derived_service_name(namespace, name))


def import_key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey(MULTICLUSTER_GROUP, IMPORTS, namespace, name)
