"""The door by which a member's credentials come in: sealed at once, and never readable again.

`PUT /apis/hanse.dev/v1alpha1/clusters/<name>/credentials` takes a JSON object whose fields are
those of a kubeconfig. Nothing of the body is logged, traced or repeated in an error.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec
from aiohttp import web

from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupResource
from shared.apiserver.requests.limits import ServerLimits, read_body
from shared.apiserver.resources import Asked, Subresource
from shared.apiserver.status_errors import (
    ApiFault,
    bad_request,
    invalid,
    method_not_allowed,
    not_found,
    success,
)
from shared.bus.port import Bus
from shared.errors import FieldError, UnusableCredentials
from shared.events.subjects import member_key
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.handover import CredentialsBody
from shared.memberapi.sealing import EnvelopeKey, seal
from shared.store.port import ObjectStore

CLUSTERS = GroupResource(GROUP, "clusters")
SUBRESOURCE = "credentials"
SECRETS = "SECRETS"
_BYTES_MAX = 256 * 1024


class CredentialsDoor:
    """Serves the subresource."""

    def __init__(self, store: ObjectStore, bus: Bus, key: EnvelopeKey) -> None:
        self._store = store
        self._bus = bus
        self._key = key
        self._limits = ServerLimits(body_bytes=_BYTES_MAX)

    def subresources(self) -> Mapping[tuple[GroupResource, str], Subresource]:
        return {(CLUSTERS, SUBRESOURCE): self.serve}

    async def serve(self, asked: Asked) -> web.StreamResponse:
        """Take credentials; raises `ApiFault` (405 for anything but PUT, 404, 422)."""
        call = asked.call
        if asked.request.method != "PUT":
            raise method_not_allowed()
        if await self._store.get(call.key) is None:
            raise not_found(call.resource, call.name)
        body = await read_body(asked.request, self._limits)
        credentials = read_credentials(body, asked)
        if not call.options.dry_run:
            sealed = seal(self._key, call.name, credentials)
            await self._put(member_key(call.name), sealed)
        details = {"name": call.name, "group": GROUP, "kind": CLUSTERS.resource}
        return web.json_response(success(details))

    async def _put(self, key: str, sealed: bytes) -> None:
        # What says what it expects is sent again where NATS loses a node.
        board = self._bus.board(SECRETS)
        entry = await board.entry(key)
        await board.put(key, sealed, expected=entry.sequence)


def read_credentials(body: bytes, asked: Asked) -> MemberCredentials:
    """Raise `ApiFault` that names fields and never shows a value."""
    try:
        found = msgspec.json.decode(body, type=CredentialsBody)
    except msgspec.ValidationError as err:
        # Its text names fields and types, not values.
        raise bad_request(f"the credentials are not of the known form: {err}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise bad_request("the credentials are not JSON") from None
    faults = _faults(found)
    if faults:
        raise invalid(asked.call.kind.gvk, asked.call.name, faults)
    credentials = MemberCredentials(
        server=found.server,
        certificate_authority=_pem(asked, "certificateAuthorityData", found),
        token=found.token,
        client_certificate=_pem(asked, "clientCertificateData", found),
        client_key=_pem(asked, "clientKeyData", found),
        tls_server_name=found.tls_server_name,
        insecure=found.insecure_skip_tls_verify,
    )
    try:
        credentials.ssl_context()
    except UnusableCredentials as err:
        raise _refusal(asked, "", str(err)) from None
    return credentials


def _faults(found: CredentialsBody) -> list[FieldError]:
    faults = []
    if not found.server.startswith(("https://", "http://")):
        faults.append(FieldError("server", "Invalid value: must be a URL with scheme https"))
    elif "@" in found.server.split("/")[2]:
        # The address appears in logs; a password in it would too.
        faults.append(FieldError("server", "Invalid value: must not name a user or a password"))
    if not found.token and not found.client_certificate_data:
        why = "Required value: a token, or clientCertificateData with clientKeyData"
        faults.append(FieldError("token", why, "FieldValueRequired"))
    if bool(found.client_certificate_data) != bool(found.client_key_data):
        why = "Required value: clientCertificateData and clientKeyData go together"
        faults.append(FieldError("clientKeyData", why, "FieldValueRequired"))
    return faults


_ATTRIBUTES = {
    "certificateAuthorityData": "certificate_authority_data",
    "clientCertificateData": "client_certificate_data",
    "clientKeyData": "client_key_data",
}


def _pem(asked: Asked, field: str, found: CredentialsBody) -> str:
    encoded: str = getattr(found, _ATTRIBUTES[field])
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _refusal(asked, field, "must be base64 of PEM text") from None


def _refusal(asked: Asked, field: str, why: str) -> ApiFault:
    fault = FieldError(field, f"Invalid value: {why}")
    return invalid(asked.call.kind.gvk, asked.call.name, [fault])
