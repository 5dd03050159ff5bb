"""The server as the verbs see it: the `ollama` client, and its failures as one sentence each.

Knows the client's errors and what they mean for a learner. Prints nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jimoto.connection import ensure_server, keep_off_proxies, trust
from jimoto.daemon.names import InvalidName, parse_name
from jimoto.errors import (
    AnswerCutOff,
    CommandError,
    ConnectionLost,
    DiskFull,
    ModelNotFound,
    NameIsPath,
    Refused,
    VerbNotServed,
)

if TYPE_CHECKING:
    import ollama


def client() -> ollama.Client:
    """A client of the server that is there, or of the embedded one, started with mame in it."""
    keep_off_proxies(os.environ)
    server = ensure_server(os.environ)
    import ollama

    return ollama.Client(host=server.url, verify=trust(server.url))


def url_of(server: ollama.Client) -> str:
    """Where the client sends its requests."""
    return str(server._client.base_url).rstrip("/")


def facts_of(server: ollama.Client, model: str, verbose: bool = False) -> dict[str, Any]:
    """All that `/api/show` says; the client's own method drops system, licence and messages."""
    import ollama

    body = {"model": model, "verbose": True} if verbose else {"model": model}
    answer = server._client.request("POST", "/api/show", json=body)
    if answer.is_error:
        raise ollama.ResponseError(answer.text, answer.status_code)
    facts: dict[str, Any] = answer.json()
    return facts


@contextmanager
def asking(model: str, verb: str) -> Iterator[ollama.Client]:
    """A client for as long as the block runs; what goes wrong is one sentence about the model."""
    with closing(client()) as server, told_about(model, verb, server):
        yield server


@contextmanager
def told_about(model: str, verb: str, server: ollama.Client) -> Iterator[None]:
    """Whatever goes wrong inside becomes one sentence that names the model."""
    import httpx
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        raise refusal(error, model, verb, server) from None
    except (httpx.ConnectError, ConnectionRefusedError) as error:
        raise ConnectionLost(str(error)) from None
    except httpx.TransportError as error:
        if verb == "run":
            raise AnswerCutOff(model, url_of(server)) from None
        raise ConnectionLost(str(error) or type(error).__name__) from None
    except ConnectionError as error:  # the client's own, for a refused connection
        if isinstance(error, BrokenPipeError):
            raise
        raise ConnectionLost(str(error)) from None


def refusal(
    error: ollama.ResponseError, model: str, verb: str, server: ollama.Client
) -> CommandError:
    """The server's error in the words of the command."""
    text = error.error.strip()
    if verb == "push" and error.status_code in (404, 405) and "not found" == text.lower():
        return VerbNotServed(verb, url_of(server))
    if is_path(model) and error.status_code in (400, 404):
        return NameIsPath(model)
    if error.status_code == 404 and "not found" in text:
        return ModelNotFound(model, near_name(model, server), "")
    if "no space left" in text.lower():
        return DiskFull(model, text, verb)
    return Refused(model, text)


def is_path(name: str) -> bool:
    """Whether a model's name is rather a file's: it is there, or no name is spelt like that.

    >>> is_path("./mame.gguf"), is_path("C:\\\\models\\\\mame.gguf"), is_path("qwen3:0.6b")
    (True, True, False)
    """
    if Path(name).is_file():
        return True
    try:
        parse_name(name)
    except InvalidName:
        return name.startswith((".", "/", "~")) or "\\" in name or name.endswith(".gguf")
    return False


def near_name(model: str, server: ollama.Client) -> str:
    """A model of the server whose name is close to this one, else nothing."""
    import httpx
    import ollama

    try:
        names = [item.model or "" for item in server.list().models]
    except (ollama.ResponseError, httpx.HTTPError, ConnectionError):
        return ""
    short = {name.removesuffix(":latest"): name.removesuffix(":latest") for name in names}
    near = get_close_matches(model.lower(), short, 1, 0.6)
    return near[0] if near else ""
