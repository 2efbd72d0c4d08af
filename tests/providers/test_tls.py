"""TLS to the upstream: always verified, by one's own authority if it is named."""

import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runs.providers.openai_compatible import OpenAICompatible
from tests.providers.turns import ask, ask_in_vain
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scripted upstream")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def secure_upstream(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Upstream(tls=context) as upstream:
        yield upstream


async def test_an_unknown_authority_is_refused(secure_upstream):
    provider = OpenAICompatible(secure_upstream.url)
    fault = await ask_in_vain(provider, "text-1")
    await provider.aclose()
    assert (fault.code, fault.retryable) == ("server_error", False)
    assert "a certificate that is not trusted" in fault.message
    assert secure_upstream.requests == []


async def test_ones_own_authority_is_trusted(secure_upstream, certificate):
    provider = OpenAICompatible(secure_upstream.url, ca_file=str(certificate))
    assert (await ask(provider, "text-3")).text == "w0 w1 w2 "
    await provider.aclose()
