"""Requests that no client should send: each is answered, in time, with a Status where refused."""

import http.client
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.conftest import DEFINITIONS, GROWTH_BYTES_MAX, NAMESPACE, Prey
from tests.fuzz.profile import EXAMPLES
from tests.fuzz.strategies import bodies, manifests, names, texts, values

MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
POLICIES = f"/apis/hanse.dev/v1alpha1/namespaces/{NAMESPACE}/propagationpolicies"
CLUSTERS = "/apis/hanse.dev/v1alpha1/clusters"
PLACES = [MAPS, DEPLOYMENTS, POLICIES, CLUSTERS, DEFINITIONS]
PATCHES = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
]
MEDIA = [*PATCHES, "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]

hunt = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
segments = st.sampled_from(
    [
        *("", ".", "..", "%2e%2e", "%2F", "%00", "%ff", "%", "%zz", "api", "apis", "v1", "watch"),
        *("namespaces", NAMESPACE, "configmaps", "deployments", "apps", "status", "scale", "a"),
        *("finalize", "credentials", "proxy", "exec", "*", "a" * 300, "a" * 2_000, "%F0%9F%99%82"),
    ]
) | st.text(max_size=6).map(lambda text: quote(text, safe="", errors="replace"))
paths = st.lists(segments, max_size=8).map(lambda parts: "/" + "/".join(parts)) | st.builds(
    "/".join, st.tuples(st.sampled_from(PLACES), segments, segments)
)
options = st.sampled_from(
    [
        *("watch", "limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector"),
        *("fieldSelector", "timeoutSeconds", "allowWatchBookmarks", "sendInitialEvents", "dryRun"),
        *("fieldManager", "fieldValidation", "force", "pretty", "includeObject", "export"),
        *("gracePeriodSeconds", "propagationPolicy", "orphanDependents", ""),
    ]
)
settled = st.sampled_from(
    [
        *("", "true", "false", "0", "1", "-1", "maybe", "9" * 30, "1.5", "All", "Exact", "Strict"),
        *(
            "NotOlderThan",
            "Foreground",
            "Orphan",
            "a in (b,c)",
            "a in (",
            "!a",
            "!!a",
            "a==b,",
            ",",
        ),
        *("metadata.name=a", "metadata.name!=", "spec.nope=1", "=", "a=b=c", "\\", "((((", "None"),
        *("eyJ2IjoxfQ", "WzEsImEiLCJiIl0", "WzEsMiwzXQ==", "x" * 3_000, "\x00", "🙂", "a\r\nb"),
    ]
)
queries = st.lists(st.tuples(options, settled), max_size=5).map(
    lambda pairs: "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
)
headers = st.dictionaries(
    st.sampled_from(
        [
            *("Accept", "Content-Type", "Accept-Encoding", "If-None-Match", "If-Match", "Range"),
            *("If-Modified-Since", "User-Agent", "Impersonate-User", "traceparent", "Expect"),
            *("Content-Encoding", "X-HTTP-Method-Override", "Upgrade", "Origin"),
        ]
    ),
    st.sampled_from(
        [
            *("", "*", "*/*", "application/json", "text/plain", "application/yaml", "gzip", "h2c"),
            *("application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=x;q=2;;=,,"),
            *("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", ";;;", ",,,"),
            *(
                "application/vnd.kubernetes.protobuf",
                "multipart/form-data",
                "identity",
                "bytes=0-5",
            ),
            *("a" * 3_000, "é", '"x"', "W/", "application/json;charset=utf-16", "100-continue"),
        ]
    ),
    max_size=4,
)


@pytest.fixture(scope="module", autouse=True)
def objects(prey: Prey) -> None:
    for path, kind, version in ((MAPS, "ConfigMap", "v1"), (DEPLOYMENTS, "Deployment", "apps/v1")):
        pod = {"containers": [{"name": "c", "image": "i", "env": [{"name": "E", "value": "1"}]}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        metadata = {"name": "a", "finalizers": ["example.com/one"]}
        body = {"apiVersion": version, "kind": kind, "metadata": metadata}
        prey.create(path, {**body, "spec": spec} if kind == "Deployment" else body)


def sent(prey: Prey, method: str, path: str, body: bytes | None, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    prey.judge(prey.send(method, path, body, named), method, path, body, named)


@hunt
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "X"]),
    path=paths,
)
def test_any_path_is_answered(prey: Prey, method: str, path: str) -> None:
    if method == "DELETE" and path.rstrip("/").endswith(NAMESPACE):
        return
    reply = prey.send(method, path, b"{}" if method in ("POST", "PUT", "PATCH") else None)
    assert reply.code < 500, (method, path, reply)
    if reply.code >= 400 and reply.body and reply.media.startswith("application/json"):
        _ = reply.status


@hunt
@given(place=st.sampled_from(PLACES), query=queries)
def test_any_query_is_answered(prey: Prey, place: str, query: str) -> None:
    for path in (place, f"{place}/a"):
        # A watch must end while we wait for it.
        sent(prey, "GET", f"{path}?timeoutSeconds=1&{query}", None)
        sent(prey, "POST", f"{place}?{query}", b"{}")
        sent(prey, "PATCH", f"{place}/nope?{query}", b"{}", Content_Type=PATCHES[1])


@hunt
@given(place=st.sampled_from(PLACES), given_headers=headers, body=bodies)
def test_any_headers_are_answered(
    prey: Prey, place: str, given_headers: dict[str, str], body: bytes
) -> None:
    for method, path in (("GET", place), ("POST", place), ("PATCH", f"{place}/a")):
        try:
            reply = prey.send(method, path, None if method == "GET" else body, given_headers)
        except http.client.HTTPException:
            prey.close()
            continue
        assert reply.code < 500, (method, path, given_headers, reply)


@hunt
@given(place=st.sampled_from(PLACES), media=st.sampled_from(MEDIA), body=bodies)
def test_any_bytes_are_answered(prey: Prey, place: str, media: str, body: bytes) -> None:
    sent(prey, "POST", place, body, Content_Type=media)
    sent(prey, "PUT", f"{place}/a", body, Content_Type=media)
    sent(prey, "PATCH", f"{place}/a?dryRun=All&fieldManager=m", body, Content_Type=media)
    sent(prey, "DELETE", f"{place}/nope", body, Content_Type=media)


@hunt
@given(place=st.sampled_from(PLACES), manifest=manifests)
def test_any_object_is_answered(prey: Prey, place: str, manifest: dict[str, Any]) -> None:
    body = json.dumps(manifest).encode()
    for level in ("Strict", "Warn"):
        query = f"dryRun=All&fieldManager=m&fieldValidation={level}"
        sent(prey, "POST", f"{place}?{query}", body, Content_Type="application/json")
        sent(prey, "PUT", f"{place}/a?{query}", body, Content_Type="application/json")
        for media in PATCHES[1:]:
            path = f"{place}/a?{query}" + ("&force=true" if media == PATCHES[3] else "")
            sent(prey, "PATCH", path, body, Content_Type=media)
            sent(prey, "PATCH", f"{place}/a/status?{query}", body, Content_Type=media)


pointers = st.lists(names | texts, max_size=5).map(lambda parts: "".join(f"/{p}" for p in parts))
pointers |= st.sampled_from(
    [
        "/metadata/finalizers/0",
        "/metadata/finalizers/-",
        "/metadata",
        "/spec/template/spec/containers",
    ]
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | texts},
    optional={"path": pointers | values, "from": pointers | values, "value": values},
)


@hunt
@given(place=st.sampled_from([MAPS, DEPLOYMENTS]), patch=st.lists(operations, max_size=5))
def test_any_json_patch_is_answered(prey: Prey, place: str, patch: list[Any]) -> None:
    body = json.dumps(patch).encode()
    for part in ("", "/scale", "/status"):
        sent(prey, "PATCH", f"{place}/a{part}?dryRun=All", body, Content_Type=PATCHES[0])


schema_values = st.recursive(
    st.sampled_from(["object", "string", "array", "integer", "date-time", "", "^(a", "a+"])
    | st.sampled_from([None, True, False, 0, -1, 1.5, 10**20, [], {}, ["a"], [1]]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "properties", "items", "additionalProperties", "required", "enum"),
                    *("default", "format", "pattern", "minimum", "maxLength", "nullable", "oneOf"),
                    *("anyOf", "allOf", "not", "$ref", "spec", "metadata", "a", "rule", "message"),
                    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "uniqueItems"),
                    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"),
                    *("x-kubernetes-int-or-string", "x-kubernetes-validations"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=14,
)


@hunt
@given(schema=schema_values, extra=st.dictionaries(names, schema_values, max_size=3))
def test_any_definition_is_answered(prey: Prey, schema: Any, extra: dict[str, Any]) -> None:
    version = {"name": "v1", "served": True, "storage": True, **extra}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}}
    whole = {**version, "schema": {"openAPIV3Schema": schema}}
    for one in (version, whole):
        spec = {
            "group": "hunted.example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [one],
        }
        manifest = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.hunted.example.com"},
            "spec": spec,
        }
        body = json.dumps(manifest).encode()
        sent(prey, "POST", f"{DEFINITIONS}?dryRun=All", body, Content_Type="application/json")


@hunt
@given(
    given=values
    | st.dictionaries(
        st.sampled_from(
            [
                "server",
                "token",
                "clientCertificateData",
                "clientKeyData",
                "certificateAuthorityData",
                "tlsServerName",
                "insecureSkipTlsVerify",
            ]
        ),
        values,
    )
)
def test_any_credentials_are_answered(prey: Prey, given: Any) -> None:
    path = f"{CLUSTERS}/hunted"
    if prey.send("GET", path).code == 404:
        spec = {"syncMode": "Push"}
        manifest = {"apiVersion": "hanse.dev/v1alpha1", "kind": "Cluster"}
        prey.create(CLUSTERS, {**manifest, "metadata": {"name": "hunted"}, "spec": spec})
    body = json.dumps(given).encode()
    sent(prey, "PUT", f"{path}/credentials?dryRun=All", body, Content_Type="application/json")


def test_nothing_of_it_is_kept_in_memory(prey: Prey) -> None:
    def round_of_requests(number: int) -> None:
        for each in range(60):
            odd = f"{number}-{each}-" + "x" * 20_000
            prey.judge(prey.send("GET", f"{MAPS}/{odd}"))
            prey.judge(prey.send("GET", f"{MAPS}?labelSelector={odd[:30_000]}"))
            prey.judge(prey.send("GET", f"{MAPS}?fieldSelector=metadata.name%3D{odd}"))
            prey.send("GET", MAPS, None, {"Accept": odd, "User-Agent": odd})
            body = json.dumps({"unknown": [odd] * 5}).encode()
            prey.judge(prey.send("POST", MAPS, body, {"Content-Type": "application/json"}))

    round_of_requests(0)
    before = prey.memory()
    for number in range(1, 4):
        round_of_requests(number)
    assert prey.memory() - before < GROWTH_BYTES_MAX
