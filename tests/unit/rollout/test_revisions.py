from typing import Any

import msgspec

from services.propagator.core.overrides import PolicyRules, rules_of
from services.propagator.core.rollout import revisions
from services.propagator.core.rollout.revisions import (
    Recorded,
    contents_of,
    next_number,
    overrides_of,
    says_the_same,
    superfluous,
)
from shared.api.binding import ObjectReference
from shared.api.meta import read
from shared.api.override import OverridePolicy
from shared.api.revision import RevisionSpec, revision_name
from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.interpreter.registry import BUILT_IN
from tests.federation import deployment

WEB = ObjectReference(api_version="apps/v1", kind="Deployment", resource="deployments", name="web")


def near(tag: str) -> PolicyRules:
    image = {"component": "Tag", "operator": "replace", "value": tag}
    spec = {"overrideRules": [{"overriders": {"imageOverrider": [image]}}]}
    key = ObjectKey("hanse.dev", "overridepolicies", "shop", "near")
    return rules_of(key, read({"spec": spec}, OverridePolicy))


def digest(template: Manifest, *overrides: PolicyRules) -> str:
    return contents_of(template, BUILT_IN.of(template), overrides, WEB).digest


def changed(**metadata: Any) -> Manifest:
    manifest = copy(deployment("web", 3))
    manifest["metadata"].update(metadata)
    return manifest


def test_what_members_never_see_makes_no_revision():
    same = changed(
        resourceVersion="9",
        uid="other",
        generation=7,
        managedFields=[],
        annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    )
    same["status"] = {"replicas": 3}
    same["spec"]["replicas"] = 30
    assert digest(same) == digest(deployment("web", 3))


def test_words_and_overrides_do():
    plain = deployment("web", 3)
    found = {
        digest(plain),
        digest(changed(annotations={"a": "1"})),
        digest(plain, near("1")),
        digest(plain, near("2")),
    }
    assert len(found) == 4


def test_a_record_of_another_day_says_what_it_says_by_todays_rules():
    template = deployment("web", 3)
    contents = contents_of(template, BUILT_IN.of(template), [], WEB)
    old = copy(contents.template)
    old["spec"]["replicas"] = 30
    old["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    recorded = msgspec.structs.replace(contents, digest="of another way", template=old)
    assert says_the_same(recorded, contents, BUILT_IN.of(template))
    other = contents_of(template, BUILT_IN.of(template), [near("1")], WEB)
    assert not says_the_same(recorded, other, BUILT_IN.of(template))


def test_overrides_come_back_as_they_were():
    rules = near("1")
    contents = contents_of(deployment("web", 3), BUILT_IN.of(deployment("web", 3)), [rules], WEB)
    assert [one.overrides for one in overrides_of(contents)] == [rules.overrides]


def record(number: int, size: int = 10, digest: str = "") -> Recorded:
    digest = digest or str(number)
    return Recorded(RevisionSpec(resource=WEB, revision=number, digest=digest, template={}), size)


def test_the_oldest_go_and_those_in_use_never():
    kept = [record(number) for number in range(1, 8)]
    assert superfluous(kept, {1, 7}, 2) == [4, 3, 2]
    assert superfluous(kept, {1, 7}, 0) == [6, 5, 4, 3, 2]
    assert superfluous(kept, set(range(1, 8)), 0) == []


def test_what_was_said_again_is_kept_once():
    kept = [record(1, digest="same"), record(2), record(3, digest="same")]
    assert superfluous(kept, {3}, 10) == [1]
    assert superfluous(kept, {1, 3}, 10) == []


def test_large_ones_are_fewer():
    size = revisions.HISTORY_BYTES_MAX // 2
    kept = [record(number, size) for number in range(1, 6)]
    assert superfluous(kept, {5}, 10) == [2, 1]


def test_a_number_is_never_given_twice():
    assert next_number([], 0) == 1
    assert next_number([record(3)], 2) == 4
    assert next_number([record(3)], 9) == 10


def test_names_are_names_however_long_the_binding_is_called():
    assert revision_name("web-deployment", 3) == "web-deployment-3"
    long = revision_name("w" * 253, 12)
    assert len(long) <= 253
    assert long.endswith("-12")
