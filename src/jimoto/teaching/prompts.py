"""The one text that reaches a model: as the server renders it, and with its roles exchanged.

A client like any other: asks `/api/chat` to render and not to answer. Knows no template.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jimoto.connection import server_url

SWAPPED = {"user": "assistant", "assistant": "user"}


def render_prompt(model: str, messages: Sequence[Mapping[str, str]], think: bool = False) -> str:
    """What the model would read for these messages; nothing is generated.

    Uses `_debug_render_only`, which the Python client has no name for. Errors: httpx.HTTPError
    where the server refuses, KeyError where it does not know the field.
    """
    import httpx

    url = server_url(os.environ.get("OLLAMA_HOST", ""))
    body: dict[str, Any] = {
        "model": model,
        "messages": list(messages),
        "stream": False,
        "think": think,
    }
    body["_debug_render_only"] = True
    reply = httpx.post(f"{url}/api/chat", json=body, timeout=60)
    reply.raise_for_status()
    return str(reply.json()["_debug_info"]["rendered_template"])


def swap_roles(prompt: str) -> str:
    """The rendered prompt with `user` and `assistant` exchanged, wherever these words stand alone.

    >>> swap_roles("<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n")
    '<|im_start|>assistant\\nHi<|im_end|>\\n<|im_start|>user\\n'
    """
    return re.sub(r"\b(user|assistant)\b", lambda found: SWAPPED[found[1]], prompt)
