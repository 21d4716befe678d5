"""What a pod needs from its namespace before it can be created or started."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from services.simulator.core.fields import entries, section
from services.simulator.core.plan import CLAIMS, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from shared.apimachinery.manifest import GroupResource, Manifest, namespace_of


class Lookup(Protocol):
    """Finds an object of the cluster."""

    def find(self, resource: GroupResource, namespace: str, name: str) -> Manifest | None: ...


_KINDS = {CONFIG_MAPS: "configmap", SECRETS: "secret"}


def refused_account(template: Mapping[str, Any], namespace: str, lookup: Lookup) -> str:
    """Why admission refuses pods of this template; "" if it does not.

    Every namespace has its default account, or will in a moment.
    """
    spec = section(template, "spec")
    name = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
    if name == "default" or lookup.find(SERVICE_ACCOUNTS, namespace, name) is not None:
        return ""
    return (
        f"pods is forbidden: error looking up service account {namespace}/{name}: "
        f'serviceaccount "{name}" not found'
    )


def missing_need(pod: Manifest, lookup: Lookup) -> tuple[str, str] | None:
    """Return (reason, message) of what keeps the containers from starting, None if nothing."""
    namespace, spec = namespace_of(pod), section(pod, "spec")
    for volume in entries(spec, "volumes"):
        claim = section(volume, "persistentVolumeClaim").get("claimName")
        if claim and lookup.find(CLAIMS, namespace, str(claim)) is None:
            return "ContainerCreating", f'persistentvolumeclaim "{claim}" not found'
    for resource, name in _volumes_read(spec):
        if lookup.find(resource, namespace, name) is None:
            return "ContainerCreating", f'{_KINDS[resource]} "{name}" not found'
    for container in (*entries(spec, "initContainers"), *entries(spec, "containers")):
        for resource, name, key in _variables_read(container):
            found = lookup.find(resource, namespace, name)
            if found is None:
                return "CreateContainerConfigError", f'{_KINDS[resource]} "{name}" not found'
            if key and key not in {**section(found, "data"), **section(found, "binaryData")}:
                kind = "ConfigMap" if resource == CONFIG_MAPS else "Secret"
                text = f"couldn't find key {key} in {kind} {namespace}/{name}"
                return "CreateContainerConfigError", text
    return None


def _volumes_read(spec: Mapping[str, Any]) -> Iterator[tuple[GroupResource, str]]:
    for volume in entries(spec, "volumes"):
        config, secret = section(volume, "configMap"), section(volume, "secret")
        if config.get("name") and not config.get("optional"):
            yield CONFIG_MAPS, str(config["name"])
        if secret.get("secretName") and not secret.get("optional"):
            yield SECRETS, str(secret["secretName"])
        for source in entries(section(volume, "projected"), "sources"):
            for part, resource in (("configMap", CONFIG_MAPS), ("secret", SECRETS)):
                found = section(source, part)
                if found.get("name") and not found.get("optional"):
                    yield resource, str(found["name"])


def _variables_read(container: Mapping[str, Any]) -> Iterator[tuple[GroupResource, str, str]]:
    """Yield what environment variables are read from, with the key where one is named."""
    for source in entries(container, "envFrom"):
        for part, resource in (("configMapRef", CONFIG_MAPS), ("secretRef", SECRETS)):
            found = section(source, part)
            if found.get("name") and not found.get("optional"):
                yield resource, str(found["name"]), ""
    for variable in entries(container, "env"):
        for part, resource in (("configMapKeyRef", CONFIG_MAPS), ("secretKeyRef", SECRETS)):
            found = section(variable, "valueFrom", part)
            if found.get("name") and not found.get("optional"):
                yield resource, str(found["name"]), str(found.get("key") or "")
