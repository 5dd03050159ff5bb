"""The verb `serve`: the embedded server in the foreground."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from jimoto.connection import find_home, parse_host


def serve() -> None:
    """Start the embedded server in this terminal (OLLAMA_HOST says where)."""
    _, host, port = parse_host(os.environ.get("OLLAMA_HOST", ""))
    models = find_home(os.environ).models(os.environ)
    command = [sys.executable, "-P", "-m", "jimoto.daemon", "--host", host, "--port", str(port)]
    try:
        code = subprocess.call([*command, "--models", str(models)])
    except KeyboardInterrupt:  # the server had it too, and has ended
        code = 0
    raise typer.Exit(code)
