"""What a template says of itself, by annotations, outweighs its policy."""

import pytest

from shared.api.template_words import CONFLICT_RESOLUTION, KARMADAS_CONFLICT_RESOLUTION
from shared.apimachinery.manifest import GroupVersionKind, copy
from shared.apiserver.admission import Write
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.rules.template_words import TemplateWords
from shared.errors import InvalidObject
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
)

KIND = ResourceKind(
    gvk=GroupVersionKind("apps", "v1", "Deployment"),
    resource="deployments",
    singular="deployment",
    namespaced=True,
)


def saying(template, **annotations):
    template = copy(template)
    template["metadata"]["annotations"] = annotations
    return template


async def test_its_word_on_conflicts_counts_at_once_and_for_as_long_as_it_stands():
    world, web = SchedulerWorld(), a_deployment()
    policy = a_policy()
    policy["spec"]["conflictResolution"] = "Overwrite"
    await world.put(a_cluster("eu"), policy, web)
    for annotations, expected in (
        ({}, "Overwrite"),
        ({CONFLICT_RESOLUTION: "IfNoDiff"}, "IfNoDiff"),
        ({KARMADAS_CONFLICT_RESOLUTION: "abort"}, "Abort"),
        ({KARMADAS_CONFLICT_RESOLUTION: "abort", CONFLICT_RESOLUTION: "Overwrite"}, "Overwrite"),
        ({KARMADAS_CONFLICT_RESOLUTION: "whatever"}, "Overwrite"),
    ):
        await world.put(saying(web, **annotations))
        await world.settle()
        assert world.binding(web).spec.conflict_resolution == expected


async def test_what_follows_a_workload_may_have_a_word_of_its_own():
    world, web = SchedulerWorld(), a_deployment()
    volumes = [{"name": "s", "configMap": {"name": "settings"}}]
    web["spec"]["template"]["spec"]["volumes"] = volumes
    settings = saying(a_config_map("settings"), **{CONFLICT_RESOLUTION: "Overwrite"})
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment"}]
    await world.put(a_cluster("eu"), a_policy(selectors=selectors), web, settings)
    await world.settle()
    assert world.binding(settings).spec.conflict_resolution == "Overwrite"


def test_a_word_that_means_nothing_is_refused_where_it_is_new():
    wrong = saying(a_deployment(), **{CONFLICT_RESOLUTION: "Seize"})
    with pytest.raises(InvalidObject) as refused:
        TemplateWords().admit(Write(KIND, None, wrong))
    assert refused.value.fields[0].path == f"metadata.annotations[{CONFLICT_RESOLUTION}]"
    assert TemplateWords().admit(Write(KIND, wrong, copy(wrong))) == ()
    assert TemplateWords().admit(Write(KIND, None, a_deployment())) == ()
