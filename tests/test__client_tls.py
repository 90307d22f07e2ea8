"""Over TLS: only a certificate that is trusted carries a call."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flowser import exceptions, requests, shapes, wire
from flowser._client import connect

POLL = requests.PollForActivityTask(domain="d", task_list=shapes.TaskList(name="list"))
EMPTY = b'{"startedEventId":0}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key, that nobody trusts by default."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), serial_number=1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextlib.asynccontextmanager
async def empty_polls(certificate: Path) -> AsyncIterator[str]:
    """Serve empty polls over TLS; give the URL."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = (
                head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            )
            await reader.readexactly(int(length))
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ")
            writer.write(b"%d\r\n\r\n%b" % (len(EMPTY), EMPTY))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("trusting", ["bundle", "anything"])
async def test_trusted_certificate_carries_the_call(
    trusting: str, certificate: Path, bare_session: AioSession
) -> None:
    verify = str(certificate) if trusting == "bundle" else False
    async with (
        empty_polls(certificate) as url,
        connect(endpoint_url=url, session=bare_session, verify=verify) as conn,
    ):
        with pytest.raises(exceptions.EmptyTaskPollResult):
            await wire.send(conn, POLL)


async def test_unknown_certificate_is_a_connection_that_failed(
    certificate: Path, bare_session: AioSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent: neither a task nor a key can have leaked."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    async with (
        empty_polls(certificate) as url,
        connect(endpoint_url=url, session=bare_session) as conn,
    ):
        with pytest.raises(exceptions.ConnectionFailed, match="CERTIFICATE_VERIFY"):
            await wire.send(conn, POLL)
