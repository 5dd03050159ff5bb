"""Which template speaks for a model, and what that template says the model can do.

A model may bring two: the Jinja text in its GGUF, and a TEMPLATE in Go's language among its layers.
Both are only read here; running them is the worker's business. Nothing here knows files or HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from jimoto.daemon.thinking import CLOSING, OPENING, template_thinks


class BrokenTemplate(ValueError):
    """A text that is no Go template: why, and where in it."""


@dataclass(frozen=True)
class ChatTemplate:
    """A template and what can be read off it."""

    language: str = ""  # jinja, go, or nothing: the model has no template
    source: str = ""
    tools: bool = False
    tool_results: bool = False  # it shows what a tool answered
    insert_source: str = ""  # the Go template that fills in between prompt and suffix
    think_tags: tuple[str, str] | None = None

    @property
    def abilities(self) -> frozenset[str]:
        found = {"tools": self.tools, "thinking": self.think_tags is not None}
        return frozenset(name for name, has in found.items() if has)

    @property
    def goes_round(self) -> bool:
        """Tools, calls and results: a whole conversation with a tool can be shown."""
        return self.tools and self.tool_results


# A template shows what a tool answered if it knows the role, or writes any role as it comes.
_TOOL_ROLE = re.compile(r"""["'](tool|ipython|tool_response)["']""")
_ANY_ROLE = re.compile(r"""\{\{[^}]{0,200}?(\.[rR]ole\b|\[["']role["']\])""")


def read_jinja(source: str) -> ChatTemplate:
    return ChatTemplate(
        language="jinja" if source else "",
        source=source,
        tools="tools" in source or "tool_call" in source,
        tool_results=_shows_results(source),
        think_tags=(OPENING, CLOSING) if template_thinks(source) else None,
    )


def read_go(source: str) -> ChatTemplate:
    """Raises BrokenTemplate where the source is no template."""
    # Imported late: a server that meets no TEMPLATE starts without it, a tenth of a second sooner.
    from jimoto.daemon.gochat import infer_capabilities
    from jimoto.daemon.gotemplate import TemplateError, parse_template

    try:
        found = infer_capabilities(parse_template(source))
    except TemplateError as error:
        raise BrokenTemplate(f"template error: {error}") from None
    return ChatTemplate(
        language="go",
        source=source,
        tools=found.tools,
        tool_results=_shows_results(source) or ".ToolName" in source,
        insert_source=source if found.insert else "",
        think_tags=found.think_tags,
    )


def _shows_results(source: str) -> bool:
    """
    >>> [_shows_results(s) for s in ("{{ m.role }}", "{% if m.role == 'user' %}", "eq .Role")]
    [True, False, False]
    """
    return bool(_TOOL_ROLE.search(source) or _ANY_ROLE.search(source))


def choose_template(jinja: str, go: str, prefers_go: bool | None = None) -> ChatTemplate:
    """The template that is used, as Ollama chooses: TEMPLATE, unless the GGUF's own can do more.

    `prefers_go` is OLLAMA_GO_TEMPLATE; where it is set, it alone decides.
    """
    own = read_jinja(jinja)
    if not go:
        return own
    try:
        layer = read_go(go)
    except BrokenTemplate:  # of a model from elsewhere; using it will say what is wrong
        return own if jinja else ChatTemplate("go", go)
    wants_go = not _is_better(own, layer) if prefers_go is None else prefers_go
    if wants_go or not jinja:
        return layer
    return replace(own, insert_source=layer.insert_source)


def _is_better(jinja: ChatTemplate, go: ChatTemplate) -> bool:
    """Whether the GGUF's own template has more to it, and loses no whole tool conversation."""
    if go.abilities < jinja.abilities:
        return jinja.goes_round or not go.goes_round
    return go.tools and jinja.tools and jinja.tool_results and not go.tool_results
