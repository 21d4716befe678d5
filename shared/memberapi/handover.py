"""How a member's credentials are handed to the hub: JSON with the field names of a kubeconfig."""

import base64

import msgspec

from shared.memberapi.credentials import MemberCredentials


class CredentialsBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What is sent: `*Data` are base64 of PEM text, as in a kubeconfig."""

    server: str
    certificate_authority_data: str = ""
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = msgspec.field(default=False, name="insecureSkipTLSVerify")

    def __repr__(self) -> str:
        return "CredentialsBody()"


def encode_handover(credentials: MemberCredentials) -> bytes:
    return msgspec.json.encode(
        CredentialsBody(
            server=credentials.server,
            certificate_authority_data=_encoded(credentials.certificate_authority),
            token=credentials.token,
            client_certificate_data=_encoded(credentials.client_certificate),
            client_key_data=_encoded(credentials.client_key),
            tls_server_name=credentials.tls_server_name,
            insecure_skip_tls_verify=credentials.insecure,
        )
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
