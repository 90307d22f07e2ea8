"""Opening a way to SWF: aiobotocore resolves, the lean wire carries.

Strategy: an aiobotocore client resolves configuration, region and endpoint, and is
closed again. The lean wire (``_lean.py``) is built on aiobotocore's HTTP sessions and
credentials.

Rules: with ``_boto.py`` the only importer of aiobotocore and botocore. Both use public
names only; ``tests/test_contract.py`` goes red when these move. Relied upon, as of
aiobotocore 3.10.0 and botocore 1.43.117: ``AioSession`` (``create_client``,
``get_credentials``, ``get_config_variable``, ``set_config_variable``,
``get_component("credential_provider")``), ``AioConfig`` (``http_session_cls``,
``connector_args``, ``proxies`` ...), ``AIOHTTPSession`` (its keywords, ``send``, what
that gives), ``AWSPreparedRequest``, ``get_frozen_credentials``, ``client.meta``,
``get_environ_proxies``, ``xform_name``, and botocore's exceptions.

Source:
    DESIGN sections 3 and 4; perf.md sections 2 and 7; reliability.md section 0.
"""

import asyncio
import contextlib
import functools
import logging
import math
import os
import socket
from collections.abc import AsyncIterator
from importlib import metadata
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import aiobotocore
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore import exceptions as boto
from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from flowser import _sigv4
from flowser._boto import explain
from flowser._http import Session
from flowser._lean import Connection, Transport
from flowser.exceptions import ConfigurationError, ConnectionFailed

_log = logging.getLogger(__name__)

#: Seconds to connect, and seconds of silence, after which a poll is given up. SWF
#: holds polls for 60 seconds, and asks for at least 70.
POLL_TIMEOUT = (5.0, 75.0)

#: The same for everything else.
CALL_TIMEOUT = (5.0, 10.0)

#: Credentials that SWF calls expired are read anew at most so often, in seconds.
_RENEWAL = 10.0

#: Connections for everything else; one core cannot keep more of them busy.
CALL_POOL = 100

_REMEDIES: dict[type[Exception], str] = {
    boto.NoRegionError: "pass region_name, or set AWS_DEFAULT_REGION",
    boto.ProfileNotFound: "check profile_name, AWS_PROFILE and the shared files",
    boto.PartialCredentialsError: "give the key id and the secret key, or neither",
}
_NO_CREDENTIALS = (
    "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "pass profile_name or keys; a local SWF takes any"
)


@contextlib.asynccontextmanager
async def connect(
    *,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    profile_name: str | None = None,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    max_pollers: int = 1000,
    verify: bool | str | None = None,
    http_session_cls: type | None = None,
    connector_args: dict[str, Any] | None = None,
    session: AioSession | None = None,
) -> AsyncIterator[Connection]:
    """Open a way to SWF, for as long as the ``async with`` lasts.

    ::

        async with flowser.connect(region_name="eu-west-1") as conn:
            photos = Photos(conn)

    What is not given is looked up as in every AWS SDK: environment, shared files,
    container, instance. Credentials are refreshed before they expire, and read anew
    when SWF says that they have.

    Args:
        region_name: The region, ``"eu-west-1"``.
        endpoint_url: Where to call instead of the region's SWF.
        profile_name: A profile of the shared configuration files.
        aws_access_key_id: Credentials that are not looked up; never refreshed.
        aws_secret_access_key: As above.
        aws_session_token: As above; only of temporary credentials.
        max_pollers: How many polls can be held at a time; more wait for their turn.
        verify: False to accept any certificate; the path of a CA bundle.
        http_session_cls: What carries the bytes, with the face of
            ``aiobotocore.httpsession.AIOHTTPSession``; that class itself when there
            is a proxy or a client certificate, a leaner one otherwise.
        connector_args: As of ``aiobotocore.config.AioConfig``.
        session: An aiobotocore session to take all from, with its default client
            configuration (proxies, client certificate). Time-outs, retries and
            pools are flowser's own.

    Yields:
        What a :class:`~flowser.Domain` needs. Stop polling before you leave.

    Raises:
        ConfigurationError: When something is missing or wrong; says what to do.

    Source:
        DESIGN section 4 (rules 1, 3 and 4).
    """
    _check_kinds(
        region_name=region_name,
        endpoint_url=endpoint_url,
        profile_name=profile_name,
        aws_access_key_id=aws_access_key_id,
        aws_secret_access_key=aws_secret_access_key,
        aws_session_token=aws_session_token,
    )
    if http_session_cls is not None and not callable(http_session_cls):
        raise ConfigurationError("http_session_cls is no class")
    source = Source(session, profile_name, region_name)
    keys = (aws_access_key_id, aws_secret_access_key, aws_session_token)
    settings = await resolve(
        source,
        keys,
        endpoint_url=endpoint_url,
        verify=verify,
        http_session_cls=http_session_cls,
        connector_args=connector_args,
    )
    async with opened(settings, max_pollers=max_pollers) as connection:
        yield connection


def _check_kinds(**options: object) -> None:
    """Refuse options that are no strings, without showing them: some are secret."""
    for name, value in options.items():
        if value is not None and not isinstance(value, str):
            kind = type(value).__name__
            raise ConfigurationError(f"{name} is of type {kind}: give a string")


class Source:
    """An aiobotocore session, and the way to make it anew."""

    def __init__(
        self,
        session: AioSession | None = None,
        profile: str | None = None,
        region: str | None = None,
    ) -> None:
        if session is not None and profile is not None:
            raise ConfigurationError(
                "session and profile_name are both given: a session has its profile"
            )
        self._given = session is not None
        self._profile = profile
        self.region = region
        self.session: AioSession = session if session is not None else self._made()

    def _made(self) -> AioSession:
        session = AioSession(profile=self._profile)
        if self.region is not None:  # providers of credentials ask for it, too
            session.set_config_variable("region", self.region)
        return session

    async def credentials(self) -> Any:
        """Look credentials up; None when there are none."""
        return await self.session.get_credentials()

    async def credentials_anew(self) -> Any:
        """Look credentials up again, whatever was found before."""
        if self._given:
            provider = self.session.get_component("credential_provider")
            return await provider.load_credentials()
        self.session = self._made()
        return await self.credentials()


class Credentials:
    """The keys of an application: refreshed by aiobotocore, read anew when they expire.

    Attributes:
        generation: How often they were read anew.
    """

    def __init__(self, found: Any, source: Source | None) -> None:
        """Begin with what was found; without a source, these are fixed keys."""
        self.generation = 0
        self._found = found
        self._source = source
        self._lock = asyncio.Lock()
        self._clock = asyncio.get_running_loop().time
        self._renewed = -math.inf

    async def keys(self, operation: str) -> _sigv4.Keys:
        """Give the keys of now, refreshed when they are due.

        Raises:
            ConnectionFailed: When they cannot be refreshed.
        """
        keys: _sigv4.Keys = self._found
        if self._source is not None:
            try:
                keys = await self._found.get_frozen_credentials()
            except Exception as error:  # providers raise what they like
                problem = f"the credentials cannot be refreshed: {error}"
                raise ConnectionFailed(operation, problem) from error
        return keys

    async def renew(self, generation: int) -> bool:
        """Read keys anew, unless another call did so since *generation*, or just now.

        Returns:
            Whether there are other keys to try.
        """
        async with self._lock:
            if generation != self.generation:
                return True
            now = self._clock()
            if now - self._renewed < _RENEWAL:
                return False  # that did not help a moment ago: do not flood the source
            again = now - self._renewed < _RENEWAL * 10
            self._renewed = now
            self.generation += 1
            level = logging.DEBUG if again else logging.WARNING
            _log.log(level, "SWF says that the credentials expired: reading them anew")
            if self._source is None:
                return True
            try:
                self._found = await self._source.credentials_anew() or self._found
            except Exception as error:  # noqa: BLE001 - providers raise what they like
                _log.warning("the credentials cannot be read: %s", error)
            return True


class Settings(NamedTuple):
    """What a connection is made of, all questions answered.

    ``http`` has the keywords of the HTTP sessions, but for time-outs and pools.
    """

    endpoint_url: str
    region_name: str
    credentials: Credentials
    http_session_cls: Any
    http: dict[str, Any]


async def resolve(
    source: Source,
    keys: tuple[str | None, str | None, str | None] = (None, None, None),
    *,
    endpoint_url: str | None = None,
    verify: bool | str | None = None,
    http_session_cls: type | None = None,
    connector_args: dict[str, Any] | None = None,
) -> Settings:
    """Let an aiobotocore client answer all questions, and close it.

    ``keys`` are key id, secret key and session token, when they are not looked up;
    the rest is as in :func:`connect`.

    Raises:
        ConfigurationError: When something is missing or wrong; says what to do.
    """
    session = source.session
    given = {} if connector_args is None else {"connector_args": connector_args}
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    try:
        async with session.create_client(
            "swf",
            region_name=source.region,
            endpoint_url=endpoint_url,
            config=AioConfig(**given),
            **dict(zip(names, keys, strict=True)),
        ) as client:
            meta = client.meta
        found = ReadOnlyCredentials(*keys) if keys[0] else await source.credentials()
    except (boto.BotoCoreError, ValueError) as error:
        remedy = _REMEDIES.get(type(error), "check the options and the environment")
        problem = " ".join(str(error).split())
        raise ConfigurationError(f"{problem}: {remedy}") from error
    if found is None:
        raise ConfigurationError(_NO_CREDENTIALS)
    cls, http = _http(meta, _verify(verify, session), http_session_cls)
    return Settings(
        endpoint_url=_checked(meta.endpoint_url),
        region_name=meta.region_name,
        credentials=Credentials(found, None if keys[0] else source),
        http_session_cls=cls,
        http=http,
    )


def _http(
    meta: Any, verify: bool | str, wanted: type | None
) -> tuple[Any, dict[str, Any]]:
    """Choose what carries the bytes, and with which keywords.

    Without a proxy and a client certificate, a plain aiohttp session does it in less
    time; with them, aiobotocore's.
    """
    config = meta.config
    cls = wanted or config.http_session_cls
    proxies = config.proxies or get_environ_proxies(meta.endpoint_url)
    plain = not (proxies or config.client_cert)
    if plain and wanted is None and cls is AIOHTTPSession:
        secure = meta.endpoint_url.startswith("https:")
        bundle = get_cert_path(cast("bool", verify)) if secure else False
        return Session, {"verify": bundle, "connector_args": config.connector_args}
    return cls, {
        "proxies": proxies,
        "verify": verify,
        "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        "client_cert": config.client_cert,
        "proxies_config": config.proxies_config,
        "connector_args": config.connector_args,
    }


def _checked(url: str) -> str:
    parts = urlsplit(url)
    beyond = parts.query or parts.fragment or parts.username
    if beyond or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(
            f"endpoint_url has more or less than scheme, host, port and path: {url}"
        )
    return url


def _verify(verify: bool | str | None, session: AioSession) -> bool | str:
    """Choose a CA bundle as botocore does."""
    if verify is not None:
        return verify
    found: bool | str | None = session.get_config_variable("ca_bundle")
    return found if found is not None else os.environ.get("REQUESTS_CA_BUNDLE") or True


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    *,
    max_pollers: int = 1000,
    poll_timeout: tuple[float, float] = POLL_TIMEOUT,
    call_timeout: tuple[float, float] = CALL_TIMEOUT,
    **pacing: Any,
) -> AsyncIterator[Connection]:
    """Open the two HTTP sessions of a connection.

    Args:
        settings: What was resolved.
        max_pollers: How many polls can be held at a time.
        poll_timeout: Seconds to connect, and of silence.
        call_timeout: As poll_timeout, for everything else.
        pacing: The ``sleep`` and ``clock`` of the connection.
    """
    if type(max_pollers) is not int or max_pollers < 1:
        raise ConfigurationError(f"max_pollers is {max_pollers!r}: give 1 or more")
    make = functools.partial(settings.http_session_cls, **settings.http)
    async with (
        make(timeout=poll_timeout, max_pool_connections=max_pollers) as polls,
        make(timeout=call_timeout, max_pool_connections=CALL_POOL) as calls,
    ):
        transport = Transport(
            _sigv4.Signer(settings.endpoint_url, settings.region_name, "swf"),
            settings.credentials,
            polls,
            calls,
            prepare=AWSPreparedRequest,
            explain=explain,
            user_agent=_user_agent(),
        )
        connection = Connection(
            transport,
            region_name=settings.region_name,
            max_pollers=max_pollers,
            **pacing,
        )
        try:
            yield connection
        finally:
            connection.close()


def _user_agent() -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        version = metadata.version("flowser")
        return f"flowser/{version} aiobotocore/{aiobotocore.__version__}"
    return f"flowser aiobotocore/{aiobotocore.__version__}"
