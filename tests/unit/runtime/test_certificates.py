import ssl
from datetime import datetime, timedelta

from cryptography import x509

from shared.clock import SystemClock
from shared.runtime.certificates import SERVING_LIFETIME, ensure_serving_certificate

HOSTS = ("127.0.0.1", "localhost", "::1")


class ShiftedClock(SystemClock):
    def __init__(self, shift: timedelta) -> None:
        self._shift = shift

    def now(self) -> datetime:
        return super().now() + self._shift


def test_a_certificate_is_made_once_and_kept(tmp_path):
    first = ensure_serving_certificate(tmp_path / "tls", HOSTS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "tls").iterdir()}
    ensure_serving_certificate(tmp_path / "tls", HOSTS[:2])

    after = {path.name: path.read_bytes() for path in (tmp_path / "tls").iterdir()}
    assert before == after
    assert set(before) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    for path in (tmp_path / "tls").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=first.authority)
    context.load_cert_chain(first.certificate, first.private_key)


def test_another_host_gets_a_new_certificate_of_the_same_authority(tmp_path):
    paths = ensure_serving_certificate(tmp_path, HOSTS)
    authority, serving = paths.authority.read_bytes(), paths.certificate.read_bytes()
    ensure_serving_certificate(tmp_path, (*HOSTS, "gateway.example"))

    assert paths.authority.read_bytes() == authority
    assert paths.certificate.read_bytes() != serving
    found = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "gateway.example" in names.get_values_for_type(x509.DNSName)


def test_a_certificate_is_renewed_before_it_ends(tmp_path):
    paths = ensure_serving_certificate(tmp_path, HOSTS)
    serving = paths.certificate.read_bytes()
    nearly = ShiftedClock(SERVING_LIFETIME - timedelta(days=10))
    ensure_serving_certificate(tmp_path, HOSTS, clock=nearly)
    assert paths.certificate.read_bytes() != serving


def test_broken_files_are_replaced(tmp_path):
    paths = ensure_serving_certificate(tmp_path, HOSTS)
    paths.private_key.write_text("not a key")
    ensure_serving_certificate(tmp_path, HOSTS)
    assert b"PRIVATE KEY" in paths.private_key.read_bytes()
