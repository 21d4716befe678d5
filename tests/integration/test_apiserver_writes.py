"""Create, update, patch, apply and delete over HTTP, as kubectl sends them."""

import asyncio
import json

import pytest

from tests.served_api import (
    APPLY,
    DEPLOYMENTS,
    MAPS,
    NAMESPACES,
    config_map,
    deployment,
    until,
)

STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


async def test_a_created_object_gets_what_the_server_owns(client):
    answer = await client.post(MAPS, config_map("a", x="1"), fieldManager="me")

    assert answer.code == 201
    metadata = answer.metadata
    assert metadata["uid"]
    assert metadata["resourceVersion"].isdigit()
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["managedFields"][0]["manager"] == "me"
    assert (await client.get(f"{MAPS}/a")).body == answer.body


async def test_a_generated_name_begins_with_its_prefix(client):
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "job-"}}
    names = {(await client.post(MAPS, manifest)).metadata["name"] for _ in range(3)}

    assert len(names) == 3
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


async def test_creating_what_exists_is_refused(client):
    await client.post(MAPS, config_map("a"))
    answer = await client.post(MAPS, config_map("a"))

    assert answer.code == 409
    assert answer.body["reason"] == "AlreadyExists"
    assert answer.body["message"] == 'configmaps "a" already exists'
    assert answer.body["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_stale_resource_version_is_a_conflict(client):
    first = (await client.post(MAPS, config_map("a", x="1"))).body
    await client.put(f"{MAPS}/a", {**first, "data": {"x": "2"}})
    answer = await client.put(f"{MAPS}/a", {**first, "data": {"x": "3"}})

    assert answer.code == 409
    assert answer.body["reason"] == "Conflict"
    assert "the object has been modified" in answer.body["message"]


async def test_a_write_that_changes_nothing_keeps_the_resource_version(client):
    first = await client.post(MAPS, config_map("a", x="1"))
    again = await client.put(f"{MAPS}/a", config_map("a", x="1"))

    assert again.code == 200
    assert again.metadata["resourceVersion"] == first.metadata["resourceVersion"]


async def test_generation_counts_changes_of_contents_only(client):
    await client.post(DEPLOYMENTS, deployment("web"))
    labelled = await client.patch(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"a": "b"}}})
    scaled = await client.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 5}})

    assert labelled.metadata["generation"] == 1
    assert scaled.metadata["generation"] == 2


async def test_status_and_spec_have_writers_of_their_own(client):
    created = (
        await client.post(DEPLOYMENTS, {**deployment("web"), "status": {"replicas": 9}})
    ).body
    assert "status" not in created

    spec_too = {"status": {"replicas": 2}, "spec": {"replicas": 7}}
    status = await client.patch(f"{DEPLOYMENTS}/web/status", spec_too)
    assert status.body["status"] == {"replicas": 2}
    assert status.body["spec"]["replicas"] == 2
    assert status.metadata["generation"] == 1

    plain = await client.put(f"{DEPLOYMENTS}/web", {**deployment("web", 3), "status": {}})
    assert plain.body["status"] == {"replicas": 2}
    assert plain.body["spec"]["replicas"] == 3


@pytest.mark.parametrize("name", ["a*b", "a>b", "A", "a..b", "-a", "x" * 254, "a b"])
async def test_an_illegal_name_is_refused_with_its_path(client, name):
    answer = await client.post(MAPS, config_map(name))

    assert answer.code == 422
    assert answer.body["reason"] == "Invalid"
    assert answer.body["details"]["causes"][0]["field"] == "metadata.name"


async def test_names_follow_the_rule_of_their_kind(client):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:node*"},
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (await client.post(path, role)).code == 201
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}}
    assert (await client.post(NAMESPACES, namespace)).code == 422


async def test_a_manifest_of_another_kind_or_name_is_refused(client):
    await client.post(MAPS, config_map("a"))
    no_kind = await client.post(MAPS, {"metadata": {"name": "x"}})
    other_kind = await client.post(MAPS, deployment("x"))
    other_name = await client.put(f"{MAPS}/a", config_map("b"))
    other_namespace = await client.post(MAPS, config_map("c", namespace="kube-system"))

    # The path says what it is.
    assert (no_kind.code, no_kind.body["kind"]) == (201, "ConfigMap")
    assert [other_kind.code, other_name.code, other_namespace.code] == [400] * 3
    assert "does not match the name on the URL" in other_name.body["message"]


async def test_unknown_fields_are_refused_warned_about_or_dropped(client):
    manifest = deployment("web")
    manifest["spec"]["replicaz"] = 1
    strict = await client.post(DEPLOYMENTS, manifest, fieldValidation="Strict")
    assert strict.code == 400
    assert 'unknown field "spec.replicaz"' in strict.body["message"]

    warned = await client.post(DEPLOYMENTS, manifest, fieldValidation="Warn")
    assert warned.code == 201
    assert warned.warnings == ('299 - "unknown field \\"spec.replicaz\\""',)
    assert "replicaz" not in warned.body["spec"]

    ignored = await client.put(f"{DEPLOYMENTS}/web", manifest, fieldValidation="Ignore")
    assert ignored.warnings == ()


async def test_a_field_given_twice_is_refused_under_strict(client):
    body = (
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
    )
    strict = await client.post(MAPS, body, fieldValidation="Strict")

    assert strict.code == 400
    assert 'duplicate field "data.x"' in strict.body["message"]


async def test_a_wrong_type_names_its_path(client):
    manifest = deployment("web")
    manifest["spec"]["replicas"] = "three"
    answer = await client.post(DEPLOYMENTS, manifest)

    assert answer.code == 400
    assert "Go struct field DeploymentSpec.spec.replicas of type int32" in answer.body["message"]


async def test_a_dry_run_answers_and_stores_nothing(client):
    created = await client.post(MAPS, config_map("a"), dryRun="All")
    assert created.code == 201
    assert (await client.get(f"{MAPS}/a")).code == 404

    await client.post(MAPS, config_map("a", x="1"))
    changed = await client.patch(f"{MAPS}/a", {"data": {"x": "2"}}, dryRun="All")
    assert changed.body["data"] == {"x": "2"}
    await client.delete(f"{MAPS}/a", dryRun="All")
    assert (await client.get(f"{MAPS}/a")).body["data"] == {"x": "1"}


async def test_every_patch_type_applies(client):
    await client.post(DEPLOYMENTS, deployment("web"))
    path = f"{DEPLOYMENTS}/web"
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    assert (await client.patch(path, operations, JSON_PATCH)).body["spec"]["replicas"] == 4

    containers = [{"name": "side", "image": "example/side:1"}]
    strategic = {"spec": {"template": {"spec": {"containers": containers}}}}
    answer = await client.patch(path, strategic, STRATEGIC)
    names = [one["name"] for one in answer.body["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "side"]

    unsupported = await client.patch(path, {}, "text/plain")
    assert unsupported.code == 415
    failing = [{"op": "test", "path": "/spec/replicas", "value": 1}]
    assert (await client.patch(path, failing, JSON_PATCH)).code == 422


async def test_server_side_apply_creates_shares_and_conflicts(client):
    path = f"{MAPS}/shared"
    created = await client.apply(path, config_map("shared", a="1", b="2"), "one")
    assert created.code == 201

    conflict = await client.apply(path, config_map("shared", a="9"), "two")
    assert conflict.code == 409
    assert conflict.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    forced = await client.apply(path, config_map("shared", a="9"), "two", force="true")
    assert forced.body["data"] == {"a": "9", "b": "2"}

    # What its applier no longer names, and nobody else has, goes.
    less = await client.apply(path, config_map("shared"), "one")
    assert less.body["data"] == {"a": "9"}


async def test_applying_twice_changes_nothing(client):
    path = f"{DEPLOYMENTS}/web"
    first = await client.apply(path, deployment("web"))
    second = await client.apply(path, deployment("web"))

    assert (first.code, second.code) == (201, 200)
    assert second.body == first.body


async def test_apply_reads_yaml(client):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dated}\ndata:\n  day: '2020-01-01'\n"
    answer = await client.send(
        "PATCH", f"{MAPS}/dated", text, content_type=APPLY, fieldManager="tester"
    )
    assert answer.body["data"] == {"day": "2020-01-01"}


async def test_finalizers_hold_an_object_until_they_go(client):
    manifest = config_map("held")
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    await client.post(MAPS, manifest)

    deleted = await client.delete(f"{MAPS}/held")
    assert deleted.body["kind"] == "ConfigMap"
    assert deleted.metadata["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    assert (await client.patch(f"{MAPS}/held", more)).code == 422

    await client.patch(f"{MAPS}/held", {"metadata": {"finalizers": None}})
    assert (await client.get(f"{MAPS}/held")).code == 404


async def test_a_delete_honours_its_preconditions(client):
    uid = (await client.post(MAPS, config_map("a"))).metadata["uid"]
    other = await client.delete(f"{MAPS}/a", {"preconditions": {"uid": "another"}})
    assert other.code == 409

    done = await client.delete(f"{MAPS}/a", {"preconditions": {"uid": uid}})
    assert done.code == 200
    assert done.body["status"] == "Success"
    assert done.body["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert (await client.delete(f"{MAPS}/a")).code == 404


async def test_a_collection_is_deleted_by_selector(client):
    for name, tier in (("a", "gold"), ("b", "gold"), ("c", "iron")):
        manifest = config_map(name)
        manifest["metadata"]["labels"] = {"tier": tier}
        await client.post(MAPS, manifest)

    answer = await client.delete(MAPS, labelSelector="tier=gold")
    assert [one["metadata"]["name"] for one in answer.body["items"]] == ["a", "b"]
    left = (await client.get(MAPS)).body["items"]
    assert [one["metadata"]["name"] for one in left] == ["c"]


async def test_scale_reads_and_writes_replicas(client):
    await client.post(DEPLOYMENTS, deployment("web", 2))
    path = f"{DEPLOYMENTS}/web/scale"
    scale = (await client.get(path)).body
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"]["selector"] == "app=web"

    assert (await client.patch(path, {"spec": {"replicas": 6}})).body["spec"] == {"replicas": 6}
    stale = await client.put(path, {**scale, "spec": {"replicas": 1}})
    assert stale.code == 409
    assert (await client.patch(path, {"spec": {"replicas": -1}})).code == 422
    assert (await client.get(f"{MAPS}/x/scale")).code == 404


async def test_deleting_a_namespace_takes_its_contents_with_it(client):
    await client.post(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    )
    maps = "/api/v1/namespaces/shop/configmaps"
    held = config_map("held", "shop")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.post(maps, held)
    await client.post(maps, config_map("plain", "shop"))

    deleted = await client.delete(f"{NAMESPACES}/shop")
    assert deleted.body["status"]["phase"] == "Terminating"
    refused = await client.post(maps, config_map("late", "shop"))
    assert refused.code == 403
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"

    async def plain_is_gone() -> bool:
        return (await client.get(f"{maps}/plain")).code == 404

    async def namespace_is_gone() -> bool:
        return (await client.get(f"{NAMESPACES}/shop")).code == 404

    await until(plain_is_gone)
    assert (await client.get(f"{NAMESPACES}/shop")).code == 200
    await client.patch(f"{maps}/held", {"metadata": {"finalizers": []}})
    await until(namespace_is_gone)


async def test_objects_need_a_namespace_that_exists(client):
    answer = await client.post("/api/v1/namespaces/nope/configmaps", config_map("a", "nope"))
    assert answer.code == 404
    assert answer.body["message"] == 'namespaces "nope" not found'


async def test_the_permanent_namespaces_exist_and_stay(client):
    names = {one["metadata"]["name"] for one in (await client.get(NAMESPACES)).body["items"]}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
    assert (await client.delete(f"{NAMESPACES}/default")).code == 403


async def test_what_nobody_owns_any_more_goes(client):
    owner = (await client.post(DEPLOYMENTS, deployment("owner"))).metadata
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "owner",
        "uid": owner["uid"],
    }
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [reference]
    foundling = config_map("foundling")
    foundling["metadata"]["ownerReferences"] = [{**reference, "uid": "never-was"}]
    await client.post(MAPS, child)
    await client.post(MAPS, foundling)

    async def gone(name: str) -> bool:
        return (await client.get(f"{MAPS}/{name}")).code == 404

    await until(lambda: gone("foundling"))
    assert not await gone("child")
    await client.delete(f"{DEPLOYMENTS}/owner")
    await until(lambda: gone("child"))


async def test_orphans_stay_without_their_owner(client):
    owner = (await client.post(DEPLOYMENTS, deployment("owner"))).metadata
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "owner", "uid": owner["uid"]}
    ]
    await client.post(MAPS, child)
    await client.delete(f"{DEPLOYMENTS}/owner", {"propagationPolicy": "Orphan"})

    async def owner_is_gone() -> bool:
        return (await client.get(f"{DEPLOYMENTS}/owner")).code == 404

    await until(owner_is_gone)
    left = await client.get(f"{MAPS}/child")
    assert "ownerReferences" not in left.metadata


async def test_foreground_deletion_waits_for_dependents(client):
    owner = (await client.post(DEPLOYMENTS, deployment("owner"))).metadata
    child = config_map("child")
    child["metadata"]["finalizers"] = ["example.com/hold"]
    child["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "owner",
            "uid": owner["uid"],
            "blockOwnerDeletion": True,
        }
    ]
    await client.post(MAPS, child)
    await client.delete(f"{DEPLOYMENTS}/owner", {"propagationPolicy": "Foreground"})

    async def child_is_marked() -> bool:
        return "deletionTimestamp" in (await client.get(f"{MAPS}/child")).metadata

    async def owner_is_gone() -> bool:
        return (await client.get(f"{DEPLOYMENTS}/owner")).code == 404

    await until(child_is_marked)
    assert not await owner_is_gone()
    await client.patch(f"{MAPS}/child", {"metadata": {"finalizers": None}})
    await until(owner_is_gone)


async def test_a_secrets_text_is_stored_as_data(client):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"word": "open"},
    }
    answer = await client.post("/api/v1/namespaces/default/secrets", secret)
    assert answer.body["data"] == {"word": "b3Blbg=="}
    assert "stringData" not in answer.body


async def test_a_selector_may_not_change(client):
    await client.post(DEPLOYMENTS, deployment("web"))
    other = deployment("web")
    other["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    answer = await client.put(f"{DEPLOYMENTS}/web", other)

    assert answer.code == 422
    assert "spec.selector" in [one["field"] for one in answer.body["details"]["causes"]]


async def test_reviews_are_answered_and_not_stored(client):
    access = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await client.post(path, access)).body["status"]["allowed"] is True
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", who)
    assert answer.body["status"]["userInfo"]["username"] == "tester"
    assert (await client.get(path)).code == 405


async def test_a_custom_kind_is_served_and_goes_with_its_objects(client):
    names = {"plural": "boats", "singular": "boat", "kind": "Boat"}
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"crew": {"type": "integer", "default": 2}}}
        },
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.sea.example"},
        "spec": {
            "group": "sea.example",
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    boats = "/apis/sea.example/v1/namespaces/default/boats"
    assert (await client.get(boats)).code == 404
    assert (await client.post(definitions, definition)).code == 201

    boat = {"apiVersion": "sea.example/v1", "kind": "Boat", "metadata": {"name": "kogge"}}
    created = await client.post(boats, {**boat, "spec": {"sails": 1}})
    assert created.code == 201
    assert created.body["spec"] == {"crew": 2}

    await client.delete(f"{definitions}/boats.sea.example")

    async def definition_is_gone() -> bool:
        return (await client.get(f"{definitions}/boats.sea.example")).code == 404

    await until(definition_is_gone)
    assert (await client.get(boats)).code == 404


async def test_many_writers_without_a_version_all_succeed(client):
    await client.post(MAPS, config_map("busy"))
    patches = [client.patch(f"{MAPS}/busy", {"data": {f"k{n}": "v"}}) for n in range(20)]
    answers = await asyncio.gather(*patches)

    assert {answer.code for answer in answers} == {200}
    assert len((await client.get(f"{MAPS}/busy")).body["data"]) == 20


async def test_numbers_and_text_come_back_as_they_were(client):
    manifest = config_map("text", snow="\u2603", quote='"\\', empty="")
    await client.post(MAPS, json.dumps(manifest).encode())
    assert (await client.get(f"{MAPS}/text")).body["data"] == manifest["data"]
