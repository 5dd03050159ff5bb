"""The verbs about models that are here (list, ps, show, cp, rm, stop), in ollama's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jimoto import formats
from jimoto.commands import server as at
from jimoto.errors import FlagValueWrong, ModelNotFound, NothingToStop

Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False)]
Insecure = Annotated[bool, typer.Option("--insecure")]
Prefix = Annotated[str, typer.Argument(metavar="[PREFIX]", show_default=False)]
SELECTORS = ("license", "modelfile", "parameters", "system", "template")


def list_models(prefix: Prefix = "") -> None:
    """NAME, ID, SIZE, MODIFIED of the models that are here."""
    now = datetime.now(UTC)
    with at.asking("", "list") as server:
        models = server.list().models
    rows = [
        [
            item.model or "",
            (item.digest or "")[:12],
            formats.size_text(int(item.size or 0)),
            formats.since_text(item.modified_at, now) if item.modified_at else "",
        ]
        for item in models
        if (item.model or "").lower().startswith(prefix.lower())
    ]
    print(formats.table_text(["NAME", "ID", "SIZE", "MODIFIED"], rows))


def ps(prefix: Prefix = "") -> None:
    """NAME, ID, SIZE, PROCESSOR, CONTEXT, UNTIL of the models that are loaded."""
    now = datetime.now(UTC)
    with at.asking("", "ps") as server:
        models = server.ps().models
    rows = [
        [
            item.model or "",
            (item.digest or "")[:12],
            formats.size_text(int(item.size or 0)),
            formats.processor_text(int(item.size or 0), int(item.size_vram or 0)),
            str(item.context_length or ""),
            formats.until_text(item.expires_at, now) if item.expires_at else "",
        ]
        for item in models
        if (item.model or "").startswith(prefix)
    ]
    print(formats.table_text(["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"], rows))


def show(
    model: Model,
    license_: Annotated[bool, typer.Option("--license")] = False,
    modelfile: Annotated[bool, typer.Option("--modelfile")] = False,
    parameters: Annotated[bool, typer.Option("--parameters")] = False,
    system: Annotated[bool, typer.Option("--system")] = False,
    template: Annotated[bool, typer.Option("--template")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False,
) -> None:
    """What is known about a model, or one part of it."""
    wanted = (license_, modelfile, parameters, system, template)
    chosen = [name for name, given in zip(SELECTORS, wanted, strict=True) if given]
    if len(chosen) > 1:
        raise FlagValueWrong(
            f"--{chosen[1]}",
            f"with --{chosen[0]}",
            "only one of --license, --modelfile, --parameters, --system, --template",
        )
    with at.asking(model, "show") as server:
        facts = at.facts_of(server, model, verbose)
    print(facts.get(chosen[0]) or "" if chosen else overview(facts, verbose))


def overview(facts: dict[str, Any], verbose: bool = False) -> str:
    """What `ollama show MODEL` prints without a selector; `facts` is the answer of `/api/show`."""
    details, info = facts.get("details") or {}, facts.get("model_info") or {}
    architecture = info.get("general.architecture", details.get("family", ""))
    rows = [["architecture", architecture], ["parameters", details.get("parameter_size", "")]]
    for label in ("context length", "embedding length"):
        value = info.get(f"{architecture}.{label.replace(' ', '_')}")
        if value:
            rows.append([label, str(value)])
    rows.append(["quantization", details.get("quantization_level", "")])
    if facts.get("requires"):
        rows.append(["requires", facts["requires"]])
    parts = [formats.section_text("Model", rows)]
    if facts.get("capabilities"):
        words = [[word] for word in facts["capabilities"]]
        parts.append(formats.section_text("Capabilities", words))
    projector = facts.get("projector_info") or {}
    if projector:
        rows = [[name.rpartition(".")[2], str(value)] for name, value in sorted(projector.items())]
        parts.append(formats.section_text("Projector", rows))
    if facts.get("parameters"):
        pairs = [line.split(None, 1) for line in facts["parameters"].splitlines()]
        parts.append(formats.section_text("Parameters", pairs))
    if verbose:
        rows = [[name, _shortened(value)] for name, value in sorted(info.items())]
        parts.append(formats.section_text("Metadata", rows))
        rows = [
            [item["name"], item["type"], str(item["shape"])] for item in facts.get("tensors") or []
        ]
        parts.append(formats.section_text("Tensors", _padded(rows)))
    if facts.get("system"):
        parts.append(formats.section_text("System", [[x] for x in facts["system"].splitlines()]))
    if facts.get("license"):
        lines = [line.strip() for line in facts["license"].splitlines() if line.strip()]
        shown = lines[:2] + ["..."] * (len(lines) > 2)
        parts.append(formats.section_text("License", [[line] for line in shown]))
    return "\n".join(parts)


def _shortened(value: Any) -> str:
    """A value of the metadata; a list by its beginning, since a vocabulary fills a wall."""
    if not isinstance(value, list):
        return str(value).replace("\n", " ")[:80]
    begin = ", ".join(str(item) for item in value[:3])
    return f"[{begin}{', ...' if len(value) > 3 else ''}]"


def _padded(rows: list[list[str]]) -> list[list[str]]:
    """The second column of three, filled up to one width."""
    widest = max((len(row[1]) for row in rows), default=0)
    return [[name, kind.ljust(widest), shape] for name, kind, shape in rows]


def cp(
    source: Annotated[str, typer.Argument(metavar="SOURCE", show_default=False)],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", show_default=False)],
) -> None:
    """A second name for a model."""
    with at.asking(source, "cp") as server:
        server.copy(source, destination)
    print(f"copied '{source}' to '{destination}'")


def rm(models: Annotated[list[str], typer.Argument(metavar="MODEL...")]) -> None:
    """Remove models, one after another; the first that cannot be removed ends it."""
    for model in models:
        with at.asking(model, "rm") as server:
            at.facts_of(server, model)
            server.generate(model=model, prompt="", keep_alive=0)
            server.delete(model)
        print(f"deleted '{model}'")


def stop(model: Model) -> None:
    """Unload a model."""
    try:
        with at.asking(model, "stop") as server:
            at.facts_of(server, model)
            server.generate(model=model, prompt="", keep_alive=0)
    except ModelNotFound as error:
        raise NothingToStop(model, error.near) from None
