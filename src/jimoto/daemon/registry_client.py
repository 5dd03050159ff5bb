"""The HTTP side of a pull: manifests, sizes and byte ranges, from a registry nobody here trusts.

It knows the protocol, which registries may be asked and which addresses never are. It does not
know the store, the layout on disk or progress, and it does not check digests: whoever writes the
bytes down does.

Behind a proxy only the proxy sees which address is dialled; there, the names and the literal
addresses in URLs are what is checked.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from jimoto import __version__
from jimoto.daemon.names import DEFAULT_HOST, ModelName
from jimoto.daemon.registry_guard import (
    GuardedBackend,
    GuardedTransport,
    PullFailed,
    Resolve,
    is_listed,
    is_loopback,
    is_public,
    split_host,
)
from jimoto.daemon.store import MANIFEST_TYPE
from jimoto.daemon.wire import ApiError

_REDIRECT_LIMIT = 10
_TOKEN_LIMIT_BYTES = 64 * 1024
_EXCERPT_CHARACTERS = 300
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{1,16384}=*\Z")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\Z")


class PartFailed(Exception):
    """An answer that is not the range that was asked for; worth another try."""


class PartStalled(Exception):
    """The bytes of a range stopped coming; worth another try that does not count."""


@dataclass(frozen=True)
class RegistrySettings:
    """Which registries may be asked, and how a download is cut up: Ollama's sizes."""

    registries: tuple[str, ...] = (DEFAULT_HOST, "hf.co")  # each `host` or `host:port`
    mirror: str = ""  # `host[:port]`, asked over http in place of registry.ollama.ai
    proxy: str = ""  # as HTTPS_PROXY gives it
    part_count: int = 16  # so many parts, and so many connections at once
    min_part_bytes: int = 100 * 10**6
    max_part_bytes: int = 1000 * 10**6
    attempts: int = 6  # for each part
    stall_seconds: float = 30.0
    progress_seconds: float = 0.06
    record_bytes: int = 8 * 2**20  # what a crash may lose of each part
    manifest_limit_bytes: int = 4 * 2**20
    text_limit_bytes: int = 16 * 2**20  # layers read into memory: config, template, licence …
    blob_limit_bytes: int = 64 * 2**30
    prune: bool = True  # remove what only the replaced manifest used
    ollama_version: str = "0.33.0"  # the registry asks for a newer client where a model needs one

    @property
    def user_agent(self) -> str:
        return f"ollama/{self.ollama_version} (jimoto/{__version__})"


def registry_settings_from_environment(environment: Mapping[str, str]) -> RegistrySettings:
    """JIMOTO_REGISTRIES adds to the list, JIMOTO_MIRROR and HTTPS_PROXY name one each."""
    more = environment.get("JIMOTO_REGISTRIES", "").split(",")
    return RegistrySettings(
        registries=(*RegistrySettings.registries, *(part.strip() for part in more if part.strip())),
        mirror=environment.get("JIMOTO_MIRROR", "").strip().removeprefix("http://").rstrip("/"),
        proxy=(environment.get("HTTPS_PROXY") or environment.get("https_proxy") or "").strip(),
        prune=environment.get("OLLAMA_NOPRUNE", "").strip().lower() in ("", "0", "f", "false"),
    )


@dataclass(frozen=True)
class Origin:
    """Where one model comes from: scheme, host, port and path below `/v2/`."""

    scheme: str
    host: str
    port: int
    repository: str

    def url(self, *parts: str) -> httpx.URL:
        path = "/".join(("", "v2", self.repository, *parts))
        return httpx.URL(scheme=self.scheme, host=self.host, port=self.port, path=path)


def origin_of(name: ModelName, insecure: bool, settings: RegistrySettings) -> Origin:
    """The registry to ask for a name, if this server may ask it."""
    repository = f"{name.namespace}/{name.model}"
    if settings.mirror and name.host.lower() == DEFAULT_HOST:
        return Origin("http", *split_host(settings.mirror, 80), repository)
    host, port = split_host(name.host, 80 if insecure else 443)
    if not (is_listed(host, port, settings.registries) or (insecure and is_loopback(host))):
        raise ApiError(
            403,
            f"registry '{name.host}' is not among those this server may ask "
            f"({', '.join(settings.registries)}); JIMOTO_REGISTRIES adds one",
        )
    return Origin("http" if insecure else "https", host, port, repository)


class RegistryClient:
    """Connections to one registry, and to wherever it redirects, for the length of one task."""

    def __init__(
        self, origin: Origin, settings: RegistrySettings, resolve: Resolve, context: ssl.SSLContext
    ) -> None:
        self._origin = origin
        self._settings = settings
        self._token = ""
        is_near = is_loopback(origin.host) or origin.scheme == "http"
        transport: httpx.AsyncBaseTransport = (
            httpx.AsyncHTTPTransport(verify=context, proxy=settings.proxy)
            if settings.proxy and not is_near
            else GuardedTransport(GuardedBackend(self._trusts, resolve), context)
        )
        self._http = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            timeout=httpx.Timeout(settings.stall_seconds, pool=None),
            # Without this a server may compress; a blob's bytes must come as they are.
            headers={"User-Agent": settings.user_agent, "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def manifest(self, tag: str) -> bytes:
        url = self._origin.url("manifests", tag)
        async with self._open("GET", url, {"Accept": MANIFEST_TYPE}) as response:
            await _expect_success(response)
            return await _read_capped(response, self._settings.manifest_limit_bytes)

    async def blob_size(self, digest: str) -> int | None:
        """What the registry says a blob's size is, if it says so."""
        async with self._open("HEAD", self._origin.url("blobs", digest)) as response:
            if response.status_code == 404:
                raise PullFailed("file does not exist")
            length = response.headers.get("Content-Length", "")
            return int(length) if response.status_code == 200 and _is_number(length) else None

    async def direct_url(self, digest: str) -> httpx.URL:
        """Where the bytes are: behind redirects on the registry's host, or the first leaving it."""
        url = self._origin.url("blobs", digest)
        async with self._open("GET", url, leaves_host=False) as response:
            target = _redirect_target(response)
            if target is not None:
                return self._checked(target)
            await _expect_success(response)
            return response.request.url

    @contextlib.asynccontextmanager
    async def open_range(
        self, url: httpx.URL, start: int, stop: int
    ) -> AsyncIterator[httpx.Response]:
        """The bytes from `start` to before `stop`; PartFailed where the answer is another."""
        async with self._open("GET", url, {"Range": f"bytes={start}-{stop - 1}"}) as response:
            if response.status_code == 206:
                match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
                if match is None or int(match[1]) != start:
                    raise PartFailed("the registry answered with another range")
            elif response.status_code != 200 or start > 0:
                raise PartFailed(f"unexpected status code {response.status_code}")
            yield response

    # --- inside ---

    @contextlib.asynccontextmanager
    async def _open(
        self,
        method: str,
        url: httpx.URL,
        headers: dict[str, str] | None = None,
        leaves_host: bool = True,
    ) -> AsyncIterator[httpx.Response]:
        """The answer behind redirects and one request for a token; its body is not read yet."""
        start, may_authorize = url, True
        for _ in range(_REDIRECT_LIMIT + 2):
            request = self._http.build_request(method, self._checked(url), headers=headers)
            if self._token and self._is_own(url):
                request.headers["Authorization"] = f"Bearer {self._token}"
            response = await self._http.send(request, stream=True)
            try:
                target = _redirect_target(response)
                wants_token = response.status_code == 401 and may_authorize and self._is_own(url)
                is_answer = target is None or not (leaves_host or target.host == start.host)
                if is_answer and not wants_token:
                    yield response
                    return
            finally:
                await response.aclose()
            if target is not None:
                url = target
            else:
                may_authorize = False
                challenge = response.headers.get("WWW-Authenticate", "")
                self._token = await self._request_token(challenge)
        raise PullFailed(f"maximum redirects exceeded ({_REDIRECT_LIMIT})")

    async def _request_token(self, challenge: str) -> str:
        """An anonymous token. Ollama signs this request with its key pair; there is none here."""
        if not challenge.startswith("Bearer "):
            raise PullFailed("unauthorized: access denied")
        fields = dict(_CHALLENGE.findall(challenge))
        realm = self._checked(_parse_url(fields.get("realm", "")))
        if not self._is_own(realm):  # whoever reads the token may use it: CVE-2025-51471
            expected = self._origin.host
            raise PullFailed(f"realm host '{realm.host}' does not match the registry '{expected}'")
        query = [("service", fields.get("service", ""))]
        query += [("scope", scope) for scope in fields.get("scope", "").split()]
        query += [("ts", str(int(time.time()))), ("nonce", secrets.token_urlsafe(16))]
        request = self._http.build_request("GET", realm.copy_merge_params(query))
        response = await self._http.send(request, stream=True)
        try:
            if response.status_code in (400, 401, 403):
                raise PullFailed(
                    "this registry wants a request signed with an Ollama account's key; "
                    "the embedded server pulls public models only"
                )
            await _expect_success(response)
            return _read_token(await _read_capped(response, _TOKEN_LIMIT_BYTES))
        finally:
            await response.aclose()

    def _is_own(self, url: httpx.URL) -> bool:
        port = url.port or (443 if url.scheme == "https" else 80)
        own = (self._origin.scheme, self._origin.host.lower(), self._origin.port)
        return (url.scheme, url.host.lower(), port) == own

    def _trusts(self, host: str, port: int) -> bool:
        """Hosts that may have a private address: listed ones and the registry itself."""
        own = host.lower() == self._origin.host.lower() and port == self._origin.port
        return own or is_listed(host, port, (*self._settings.registries, self._settings.mirror))

    def _checked(self, url: httpx.URL) -> httpx.URL:
        """The URL, if it may be followed. What a name resolves to is checked at the connection."""
        if url.scheme not in ("https", self._origin.scheme) or not url.host or url.userinfo:
            raise PullFailed(f"refused to follow a link to '{url.scheme}://{url.host}'")
        port = url.port or (443 if url.scheme == "https" else 80)
        with contextlib.suppress(ValueError):  # a name, not an address
            if not is_public(url.host) and not self._trusts(url.host, port):
                raise PullFailed(f"refused to connect to '{url.host}': it is a private address")
        return url


def _redirect_target(response: httpx.Response) -> httpx.URL | None:
    if response.status_code not in (301, 302, 303, 307, 308) or "Location" not in response.headers:
        return None
    return _parse_url(response.headers["Location"], response.request.url)


def _parse_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        return base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise PullFailed("the registry sent a link that is not one") from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


async def _expect_success(response: httpx.Response) -> None:
    """Raises Ollama's texts for everything that is not 200."""
    if response.status_code == 404:
        raise PullFailed("file does not exist")
    if response.status_code == 401:
        raise PullFailed("unauthorized: access denied")
    if response.status_code != 200:
        body = b""
        with contextlib.suppress(PullFailed):
            body = await _read_capped(response, 16 * 1024)
        text = "".join(c if c.isprintable() else " " for c in body.decode("utf-8", "replace"))
        excerpt = text.strip()[:_EXCERPT_CHARACTERS]
        raise PullFailed(f"{response.status_code}: {excerpt}".rstrip(": "))


async def _read_capped(response: httpx.Response, limit_bytes: int) -> bytes:
    """A small body, unpacked if need be; the cap holds for both forms (CVE-2024-12886)."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise PullFailed(f"the registry used an encoding that was not asked for: '{encoding[:40]}'")
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    async for piece in response.aiter_raw():
        try:
            body += unpack.decompress(piece, limit_bytes + 1 - len(body)) if unpack else piece
        except zlib.error:
            raise PullFailed("the registry sent a broken gzip stream") from None
        if len(body) > limit_bytes:
            raise PullFailed(f"the registry's answer is larger than {limit_bytes} bytes")
    return bytes(body)


def _read_token(body: bytes) -> str:
    try:
        token = json.loads(body)["token"]
    except (ValueError, LookupError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not _TOKEN.match(token):
        raise PullFailed("the registry sent no usable token")
    return token
