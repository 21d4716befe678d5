"""Which objects are templates, and which policy speaks for one."""

import itertools

import pytest

from services.scheduler.core.policies import (
    check_policy,
    is_template,
    may_be_template,
    reference_to,
    select_policy,
)
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey
from shared.errors import InvalidObject
from tests.unit.scheduler.scheduler_world import a_config_map, a_deployment, a_policy

WEB = a_deployment(labels={"tier": "front"})
BY_NAME = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}]
BY_LABEL = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "labelSelector": {"matchLabels": {"tier": "front"}},
    }
]
BY_KIND = [{"apiVersion": "apps/v1", "kind": "Deployment"}]


def policies(*manifests: dict):
    return [read(manifest, PropagationPolicy) for manifest in manifests]


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([a_policy("all"), a_policy("kind", selectors=BY_KIND)], "kind"),
        ([a_policy("kind", selectors=BY_KIND), a_policy("label", selectors=BY_LABEL)], "label"),
        ([a_policy("label", selectors=BY_LABEL), a_policy("name", selectors=BY_NAME)], "name"),
        ([a_policy("name", selectors=BY_NAME), a_policy("all", priority=1)], "all"),
        ([a_policy("b", selectors=BY_NAME), a_policy("a", selectors=BY_NAME)], "a"),
        ([a_policy("ours"), a_policy("theirs", "", BY_NAME, priority=9)], "ours"),
        ([a_policy("elsewhere", "other", BY_NAME), a_policy("wide", "")], "wide"),
        (
            [a_policy("many", selectors=[*BY_KIND, *BY_NAME]), a_policy("l", selectors=BY_LABEL)],
            "many",
        ),
    ],
)
def test_the_closest_policy_speaks_whatever_the_order(candidates, chosen):
    for order in itertools.permutations(policies(*candidates)):
        assert select_policy(WEB, order).metadata.name == chosen


def test_a_policy_that_names_another_namespace_than_its_own_selects_nothing():
    selectors = [{"apiVersion": "*", "kind": "*", "namespace": "other"}]
    assert select_policy(a_config_map(), policies(a_policy(selectors=selectors))) is None


def test_a_policy_being_deleted_speaks_for_nothing():
    going = a_policy()
    going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    assert select_policy(WEB, policies(going)) is None


def never(manifest):
    manifest["spec"]["preemption"] = "Never"
    return manifest


def chosen_of(*candidates, holder):
    found = policies(*candidates)
    held = next((reference_to(one) for one in found if one.metadata.name == holder), None)
    return select_policy(WEB, found, held).metadata.name


def test_a_policy_that_never_preempts_leaves_to_others_what_they_have_placed():
    greater = never(a_policy("greater", priority=9))
    assert chosen_of(a_policy("placed"), greater, holder="placed") == "placed"
    assert chosen_of(a_policy("placed"), greater, holder="nobody") == "greater"
    assert chosen_of(a_policy("placed"), a_policy("greater", priority=9), holder="placed") == (
        "greater"
    )


def test_it_keeps_what_it_has_placed_itself_by_the_order_that_holds_for_all():
    mine = never(a_policy("mine", priority=1))
    assert chosen_of(a_policy("less"), mine, holder="mine") == "mine"
    assert chosen_of(a_policy("more", priority=2), mine, holder="mine") == "more"


def test_it_takes_what_its_holder_selects_no_longer_or_leaves():
    gone = a_policy("placed", selectors=[{"apiVersion": "v1", "kind": "Secret"}])
    assert chosen_of(gone, never(a_policy("other")), holder="placed") == "other"
    going = a_policy("placed")
    going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    assert chosen_of(going, never(a_policy("other")), holder="placed") == "other"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("apps", "deployments", "default", "web"), True),
        (("apps", "deployments", "kube-system", "coredns"), False),
        (("", "namespaces", "", "shop"), True),
        (("", "namespaces", "", "default"), False),
        (("", "namespaces", "", "kube-public"), False),
        (("", "events", "shop", "x"), False),
        (("events.k8s.io", "events", "shop", "x"), False),
        (("coordination.k8s.io", "leases", "shop", "x"), False),
        (("", "endpoints", "shop", "x"), False),
        (("discovery.k8s.io", "endpointslices", "shop", "x"), False),
        (("multicluster.x-k8s.io", "serviceimports", "shop", "x"), False),
        (("multicluster.x-k8s.io", "clusterprofiles", "hanse-system", "eu-1"), False),
        (("about.k8s.io", "clusterproperties", "", "clusterset.k8s.io"), False),
        (("", "configmaps", "hanse-system", "x"), False),
        (("", "nodes", "", "n"), False),
        (("", "configmaps", "shop", "kube-root-ca.crt"), False),
        (("", "configmaps", "shop", "settings"), True),
        (("", "serviceaccounts", "shop", "default"), False),
        (("", "serviceaccounts", "shop", "web"), True),
        (("", "services", "default", "kubernetes"), False),
        (("", "services", "shop", "kubernetes"), True),
        (("rbac.authorization.k8s.io", "clusterroles", "", "system:metrics-reader"), True),
        (("rbac.authorization.k8s.io", "clusterroles", "", "shop"), True),
        (("scheduling.k8s.io", "priorityclasses", "", "system-node-critical"), False),
        (("hanse.dev", "clusters", "", "eu-1"), False),
        (("hanse.dev", "overridepolicies", "shop", "x"), False),
        (("example.com", "widgets", "shop", "x"), True),
    ],
)
def test_what_clusters_have_by_themselves_is_no_template(key, expected):
    assert may_be_template(ObjectKey(*key)) is expected


def test_what_a_controller_or_the_bootstrap_made_is_no_template():
    key = ObjectKey("", "pods", "shop", "web-1")
    pod = {"metadata": {"name": "web-1", "namespace": "shop"}}
    assert is_template(key, pod)
    owned = {"metadata": {**pod["metadata"], "ownerReferences": [{"controller": True}]}}
    assert not is_template(key, owned)
    held = {"metadata": {**pod["metadata"], "ownerReferences": [{"kind": "X"}]}}
    assert is_template(key, held)
    token = {**pod, "type": "kubernetes.io/service-account-token"}
    assert not is_template(ObjectKey("", "secrets", "shop", "web-1"), token)
    kept = {"metadata": {"name": "shop", "labels": {"hanse.dev/kept-by": "traffic"}}}
    assert not is_template(ObjectKey("", "namespaces", "", "shop"), kept)
    role = {"metadata": {"name": "admin", "labels": {"kubernetes.io/bootstrapping": "rbac"}}}
    assert not is_template(
        ObjectKey("rbac.authorization.k8s.io", "clusterroles", "", "admin"), role
    )


MALFORMED = {"labelSelector": {"matchLabels": {"-": "x"}}}


@pytest.mark.parametrize(
    "policy",
    [
        a_policy(selectors=[{"apiVersion": "v1", "kind": "Pod", **MALFORMED}]),
        a_policy(clusterAffinity=MALFORMED),
        a_policy(replicaScheduling={"replicaLimits": [{"targetCluster": MALFORMED}]}),
        a_policy(
            replicaScheduling={
                "weightPreference": {
                    "staticWeightList": [{"targetCluster": MALFORMED, "weight": 1}]
                }
            }
        ),
    ],
)
def test_a_malformed_selector_anywhere_in_a_policy_is_found(policy):
    with pytest.raises(InvalidObject, match="malformed label selector"):
        check_policy(read(policy, PropagationPolicy))
