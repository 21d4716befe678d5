"""Kinds of which every cluster has objects of its own, written by its own machinery.

Nothing propagates them, whatever a policy says.
"""

from collections.abc import Mapping

KEPT_BY = "hanse.dev/kept-by"
"""Label of what a service of Hanse keeps at the hub for itself: nobody's template either."""

OWN_KINDS: Mapping[tuple[str, str], str] = {
    ("", "Event"): "events",
    ("events.k8s.io", "Event"): "events",
    ("", "Endpoints"): "endpoints",
    ("discovery.k8s.io", "EndpointSlice"): "endpointslices",
    ("multicluster.x-k8s.io", "ServiceImport"): "serviceimports",
    ("multicluster.x-k8s.io", "ClusterProfile"): "clusterprofiles",
    ("about.k8s.io", "ClusterProperty"): "clusterproperties",
    ("coordination.k8s.io", "Lease"): "leases",
    ("coordination.k8s.io", "LeaseCandidate"): "leasecandidates",
    ("", "Node"): "nodes",
    ("", "ComponentStatus"): "componentstatuses",
    ("apiregistration.k8s.io", "APIService"): "apiservices",
    ("apps", "ControllerRevision"): "controllerrevisions",
    ("certificates.k8s.io", "CertificateSigningRequest"): "certificatesigningrequests",
    ("storage.k8s.io", "CSINode"): "csinodes",
    ("storage.k8s.io", "CSIStorageCapacity"): "csistoragecapacities",
    ("storage.k8s.io", "VolumeAttachment"): "volumeattachments",
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): "flowschemas",
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): "prioritylevelconfigurations",
}
"""Resources by group and kind."""
