"""What it takes to call a member's API server, and reading it out of a kubeconfig.

Everything is held as content, never as a path, so that credentials read on one machine work on
another. Nothing here shows a secret: neither `repr` nor an error does.
"""

import base64
import binascii
import ssl
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import yaml

from shared.errors import UnusableCredentials


class MemberCredentials(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Certificates and keys are PEM text; `token` wins over a client certificate at the server.

    `certificate_authority` empty means the system's own trust.
    """

    server: str
    certificate_authority: str = ""
    token: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    insecure: bool = False

    def __repr__(self) -> str:
        return f"MemberCredentials(server={self.server!r})"

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain HTTP; raises `UnusableCredentials`."""
        if not self.server.startswith("https://"):
            return None
        try:
            context = ssl.create_default_context(cadata=self.certificate_authority or None)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.client_certificate:
                _load_chain(context, self.client_certificate, self.client_key)
        except (ssl.SSLError, ValueError) as err:
            raise UnusableCredentials(f"certificates for {self.server} cannot be loaded") from err
        return context


def _load_chain(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # OpenSSL takes a client certificate from files only; the folder is 0700 and short-lived.
    with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
        chain = Path(folder) / "client.pem"
        chain.touch(mode=0o600)
        chain.write_text(f"{certificate.rstrip()}\n{key}")
        context.load_cert_chain(chain)


def encode_credentials(credentials: MemberCredentials) -> bytes:
    return msgspec.json.encode(credentials)


def decode_credentials(body: bytes) -> MemberCredentials:
    try:
        return msgspec.json.decode(body, type=MemberCredentials)
    except msgspec.DecodeError as err:
        raise UnusableCredentials("stored credentials are not of a known form") from err


def read_kubeconfig(path: Path, context: str = "") -> MemberCredentials:
    """Read one context of the kubeconfig at *path*, its current one by default.

    Relative paths within it are taken from its folder, as kubectl does. Exec and auth-provider
    plugins are not run. Raises `UnusableCredentials` that names what is missing.
    """
    return parse_kubeconfig(_read_text(path, "kubeconfig"), path.parent, context, name=str(path))


SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def read_service_account(folder: Path = SERVICE_ACCOUNT) -> MemberCredentials:
    """Read what Kubernetes gives a pod to call its own cluster; raises `UnusableCredentials`."""
    return MemberCredentials(
        server="https://kubernetes.default.svc",
        certificate_authority=_read_text(folder / "ca.crt", "certificate authority"),
        token=_read_text(folder / "token", "token file").strip(),
    )


def parse_kubeconfig(
    text: str, folder: Path, context: str = "", *, name: str = "kubeconfig"
) -> MemberCredentials:
    """`read_kubeconfig` for content that is already here; files it names are read."""
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise UnusableCredentials(f"{name} is not YAML") from err
    if not isinstance(config, dict):
        raise UnusableCredentials(f"{name} is not a kubeconfig: it holds no object")
    wanted = context or str(config.get("current-context") or "")
    if not wanted:
        raise UnusableCredentials(f"{name} has no current-context, and no context was given")
    chosen = _entry(config, "contexts", "context", wanted, name)
    cluster = _entry(config, "clusters", "cluster", str(chosen.get("cluster") or ""), name)
    user_name = str(chosen.get("user") or "")
    user = _entry(config, "users", "user", user_name, name) if user_name else {}
    _refuse_plugins(user, user_name)
    return _assemble(cluster, user, folder, name)


def _assemble(
    cluster: dict[str, Any], user: dict[str, Any], folder: Path, name: str
) -> MemberCredentials:
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise UnusableCredentials(f"{name}: server {server!r} is neither an https nor an http URL")
    if "@" in server.split("/")[2]:
        # The address is shown to everybody; a password in it would be too.
        raise UnusableCredentials(f"{name}: the server's URL must not name a user or a password")
    token = str(user.get("token") or "")
    if not token and user.get("tokenFile"):
        token = _read_text(folder / str(user["tokenFile"]), "token file").strip()
    certificate = _pem(user, "client-certificate", folder)
    key = _pem(user, "client-key", folder)
    if bool(certificate) != bool(key):
        missing = "client-key" if certificate else "client-certificate"
        raise UnusableCredentials(f"{name}: {missing} is missing beside its counterpart")
    if user.get("username"):
        raise UnusableCredentials(f"{name}: basic authentication is not served by Kubernetes")
    return MemberCredentials(
        server=server,
        certificate_authority=_pem(cluster, "certificate-authority", folder),
        token=token,
        client_certificate=certificate,
        client_key=key,
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _refuse_plugins(user: dict[str, Any], user_name: str) -> None:
    for plugin in ("exec", "auth-provider"):
        if user.get(plugin):
            raise UnusableCredentials(
                f"user {user_name!r} gets its credentials from an {plugin} plugin, which Hanse "
                "does not run yet: use a token or a client certificate (a ServiceAccount's token)"
            )


def _entry(
    config: dict[str, Any], section: str, member: str, wanted: str, name: str
) -> dict[str, Any]:
    entries = config.get(section)
    known = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    for one in known:
        if one.get("name") == wanted:
            body = one.get(member)
            return body if isinstance(body, dict) else {}
    names = ", ".join(sorted(str(one.get("name")) for one in known)) or "none"
    raise UnusableCredentials(f"{name} has no {member} {wanted!r} (it has: {names})")


def _pem(section: dict[str, Any], field: str, folder: Path) -> str:
    """Inline data wins over a file, as in kubectl."""
    data = section.get(f"{field}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as err:
            raise UnusableCredentials(f"{field}-data is not base64 of PEM text") from err
    path = section.get(field)
    return _read_text(folder / str(path), field) if path else ""


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as err:
        raise UnusableCredentials(f"{what} {path} does not exist") from err
    except (OSError, UnicodeDecodeError) as err:
        raise UnusableCredentials(f"{what} {path} cannot be read") from err
