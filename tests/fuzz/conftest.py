"""A gateway to attack, watched for bugs it logs, for death, and for memory it keeps."""

import http.client
import json
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.targets import run_gateway

DEADLINE_SECONDS = 20.0
GROWTH_BYTES_MAX = 64 * 1024 * 1024
NAMESPACE = "fuzz"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Reply:
    code: int
    media: str
    body: bytes

    @property
    def status(self) -> dict[str, Any]:
        """The Status object that every refusal is."""
        found = json.loads(self.body)
        assert found["kind"] == "Status", found
        assert found["status"] == "Failure", found
        assert found["code"] == self.code, found
        assert found["message"], found
        found.setdefault("reason", "")
        found.setdefault("metadata", {})
        assert isinstance(found["reason"], str), found
        return found


@dataclass
class Prey:
    """Sends exactly what it is given over one connection, and none of it may harm the gateway."""

    url: str
    token: str
    tls: ssl.SSLContext
    log: Path
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Raise OSError where there is no answer in time."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        connection = self._open()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value.encode())
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheader("Content-Type", ""), answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _open(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            place = urlsplit(self.url)
            self._connection = http.client.HTTPSConnection(
                place.hostname or "", place.port, timeout=DEADLINE_SECONDS, context=self.tls
            )
            # What is sent is meant to be as odd as it is.
            self._connection._validate_path = lambda _url: None  # type: ignore[attr-defined,method-assign]
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def judge(self, reply: Reply, *what: object) -> None:
        """No bug, no refusal that is not a Status of JSON."""
        assert reply.code < 500, (reply, *what)
        if reply.code >= 400:
            assert reply.media.startswith("application/json"), (reply, *what)
            _ = reply.status

    def memory(self) -> int:
        """Bytes that the process holds."""
        found = re.search(rb"^process_resident_memory_bytes (\S+)", self.metrics(), re.MULTILINE)
        assert found is not None
        return int(float(found[1]))

    def metrics(self) -> bytes:
        return self.send("GET", "/metrics").body

    def create(self, path: str, manifest: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        reply = self.send("POST", path, json.dumps(manifest).encode(), headers)
        assert reply.code == 201, reply


@pytest.fixture(scope="package")
def prey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prey]:
    """One gateway for all; in the end it must live, remember little, and have logged no bug."""
    folder = tmp_path_factory.mktemp("prey")
    with run_gateway(folder) as target:
        assert target.tls is not None
        found = Prey(target.url, target.token, target.tls, folder / "gateway.log")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        found.create("/api/v1/namespaces", namespace)
        found.create(DEFINITIONS, definition())
        yield found
        # Anew: the gateway may have closed one that lay idle.
        found.close()
        assert found.send("GET", "/livez").body == b"ok"
        found.close()
        bugs = [line for line in found.log.read_text().splitlines() if ".bug" in line]
        assert bugs == []


def definition() -> dict[str, Any]:
    """A custom kind with something of everything that a schema can say."""
    letters = "".join(secrets.choice("bcdfghjklmnp") for _ in range(6))
    group = f"{letters}.example.com"
    part = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 20},
            "port": {"x-kubernetes-int-or-string": True},
            "weight": {"type": "number", "minimum": 0, "default": 1},
        },
    }
    listed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    spec = {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
            "parts": {"type": "array", "items": part, **listed},
            "words": {
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-list-type": "set",
            },
            "when": {"type": "string", "format": "date-time"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "x-kubernetes-validations": [{"rule": "!has(self.replicas) || self.replicas < 100"}],
    }
    status = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}, "scale": scale},
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"odds.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "odds", "singular": "odd", "kind": "Odd"},
            "versions": [version],
        },
    }
