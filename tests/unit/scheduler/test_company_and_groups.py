"""Which clusters other workloads and groups of clusters leave to one."""

from services.scheduler.core.affinity import covers
from services.scheduler.core.company import Peer, company_of
from services.scheduler.core.groups import scopes_of
from services.scheduler.core.member import Member
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.matching import groups_of
from shared.api.meta import read
from shared.api.placement import CelSelector, PlacementAffinity, WorkloadAffinity, WorkloadGroup
from shared.apimachinery.manifest import ObjectKey

SET = WorkloadGroup(group_by_label_key="set")


def key(name):
    return ObjectKey("apps", "deployments", "shop", name)


def peer(name, value, *clusters):
    return Peer(key(name), {"set": value}, frozenset(clusters))


def a_group(name, **spec):
    return read({"metadata": {"name": name}, "spec": spec}, ClusterGroup)


def a_cluster(name, **labels):
    return read({"metadata": {"name": name, "labels": labels}}, Cluster)


def test_what_is_placed_heeds_those_before_it_only():
    peers = [peer("api", "x", "a"), peer("zoo", "x", "b"), peer("other", "y", "c")]
    found = company_of(key("web"), {"set": "x"}, WorkloadAffinity(affinity=SET), peers)
    assert found.friends == {"a", "b"}
    assert found.elder_friends == {"a"}
    assert found.foes == frozenset()


def test_a_workload_is_no_company_for_itself():
    peers = [peer("web", "x", "a")]
    found = company_of(key("web"), {"set": "x"}, WorkloadAffinity(anti_affinity=SET), peers)
    assert found.foes == frozenset()


def test_two_that_keep_away_from_one_another_come_to_rest():
    rules = WorkloadAffinity(anti_affinity=SET)
    first = company_of(key("api"), {"set": "x"}, rules, [peer("web", "x", "a")])
    second = company_of(key("web"), {"set": "x"}, rules, [peer("api", "x", "a")])
    assert first.elder_foes == frozenset()
    assert second.elder_foes == {"a"}


def test_clusters_are_in_groups_by_name_or_by_label():
    groups = [
        a_group("named", clusterNames=["a"], namespaces=["shop"]),
        a_group("labelled", labelSelector={"matchLabels": {"env": "prod"}}, namespaces=["shop"]),
    ]
    assert groups_of(a_cluster("a"), groups) == {"named"}
    assert groups_of(a_cluster("b", env="prod"), groups) == {"labelled"}
    assert scopes_of(groups) == {"shop": {"named", "labelled"}}


def test_an_expression_without_an_answer_does_not_cover():
    member = Member.of(a_cluster("a", gpu="yes"))

    def covered(text):
        selector = CelSelector(cel_expressions=(text,))
        return covers(PlacementAffinity(cel_selector=selector), member)

    assert covered("cluster.metadata.labels.gpu == 'yes'")
    assert not covered("cluster.metadata.labels.rack == 'r1'")
    assert not covered("has(cluster.metadata.labels.rack)")
    assert covered("cluster.spec.mode == 'Push'")
