from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.scheme import SCHEME
from shared.apimachinery.manifest import GroupResource, GroupVersionKind
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.registry import Registry, version_priority


def a_kind(version: str = "v1", *, kind: str = "Boat", resource: str = "boats") -> ResourceKind:
    return ResourceKind(
        gvk=GroupVersionKind("sea.example.org", version, kind),
        resource=resource,
        singular=kind.lower(),
        namespaced=True,
        custom=True,
    )


@pytest.fixture(scope="module")
def builtin() -> Registry:
    return Registry(builtin_kinds())


def test_every_built_in_kind_has_a_schema_and_columns(builtin: Registry):
    without = [kind.gvk for kind in builtin.all() if kind.schema is None or not kind.columns]

    assert without == []


def test_a_kind_is_found_by_resource_and_by_kind(builtin: Registry):
    deployment = builtin.by_resource("apps", "v1", "deployments")

    assert deployment is not None
    assert deployment is builtin.by_kind(GroupVersionKind("apps", "v1", "Deployment"))
    assert deployment.scale is not None
    assert deployment.has_status
    assert deployment.short_names == ("deploy",)
    assert deployment.categories == ("all",)
    assert builtin.by_resource("apps", "v1beta1", "deployments") is None


def test_plurals_follow_english(builtin: Registry):
    resources = {kind.resource for kind in builtin.all()}

    assert {"ingresses", "networkpolicies", "endpoints", "storageclasses"} <= resources


def test_the_newest_stable_version_is_preferred(builtin: Registry):
    preferred = builtin.preferred(GroupResource("autoscaling", "horizontalpodautoscalers"))

    assert preferred is not None
    assert preferred.gvk.version == "v2"


def test_reviews_can_only_be_created(builtin: Registry):
    review = builtin.by_resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")

    assert review is not None
    assert review.verbs == ("create",)


def test_a_member_does_not_serve_the_kinds_of_hanse(builtin: Registry):
    assert builtin.versions("hanse.dev") == ()
    assert len(Registry(hanse_kinds()).all()) == len(SCHEME)


def test_works_are_read_only():
    works = Registry(hanse_kinds()).by_resource("hanse.dev", "v1alpha1", "works")

    assert works is not None
    assert works.verbs == ("get", "list", "watch")
    assert not works.has_status


def test_custom_kinds_come_and_go_and_listeners_hear_of_it():
    registry = Registry(builtin_kinds())
    heard: list[int] = []
    stop = registry.subscribe(lambda: heard.append(registry.generation))

    registry.put_custom("boats.sea.example.org", [a_kind("v1"), a_kind("v2")])
    assert registry.versions("sea.example.org") == ("v2", "v1")
    registry.drop_custom("boats.sea.example.org")
    registry.drop_custom("boats.sea.example.org")
    stop()
    registry.put_custom("boats.sea.example.org", [a_kind()])

    assert heard == [1, 2]
    assert registry.by_resource("sea.example.org", "v1", "boats") is not None


def test_a_custom_kind_does_not_displace_a_fixed_one():
    registry = Registry(builtin_kinds())
    intruder = ResourceKind(
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        resource="deployments",
        singular="deployment",
        namespaced=False,
        custom=True,
    )

    registry.put_custom("deployments.apps", [intruder])

    found = registry.by_resource("apps", "v1", "deployments")
    assert found is not None
    assert found.namespaced


def test_custom_groups_come_after_fixed_ones_by_name_whatever_declares_them(builtin: Registry):
    registry = Registry(builtin_kinds())
    early = replace(a_kind(), gvk=GroupVersionKind("b.example.org", "v1", "Anchor"))
    late = replace(a_kind(), gvk=GroupVersionKind("a.example.org", "v1", "Zebra"))

    registry.put_custom("anchors.b.example.org", [early])
    registry.put_custom("zebras.a.example.org", [late])

    assert registry.groups() == (*builtin.groups(), "a.example.org", "b.example.org")


def test_kinds_are_listed_in_order(builtin: Registry):
    listed = [(kind.gvk.group, kind.gvk.version, kind.resource) for kind in builtin.all()]

    assert listed == sorted(listed)


def test_versions_are_ordered_by_stability_then_number():
    versions = ["foo1", "v1alpha1", "v10beta3", "v1", "v3beta1", "v2", "foo10", "v11alpha2", "v10"]

    assert sorted(versions, key=version_priority) == [
        *("v10", "v2", "v1", "v10beta3", "v3beta1", "v11alpha2", "v1alpha1", "foo1", "foo10")
    ]


@given(st.lists(st.sampled_from(["v1", "v2", "v1beta1", "v1alpha2"]), unique=True, min_size=1))
def test_the_order_in_which_versions_are_declared_does_not_matter(versions: list[str]):
    registry = Registry([a_kind(version) for version in versions])

    expected = tuple(one for one in ("v2", "v1", "v1beta1", "v1alpha2") if one in versions)
    assert registry.versions("sea.example.org") == expected
