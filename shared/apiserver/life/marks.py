"""The names by which the server and its upkeep tell what an object's life depends on."""

from shared.apimachinery.manifest import GroupResource

NAMESPACES = GroupResource("", "namespaces")
DEFINITIONS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")
PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
# The part of a Pod through which containers come that look into the others.
EPHEMERAL = "ephemeralcontainers"
NAMESPACE_FINALIZER = "kubernetes"
DEFINITION_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
# Kinds whose creators report status with the first write, as kubelets do.
STATUS_AT_CREATION = frozenset({GroupResource("", "nodes")})
# What no member is ever given, so that nobody needs a number for its contents.
UNCOUNTED = frozenset({GroupResource("", "events"), GroupResource("events.k8s.io", "events")})
