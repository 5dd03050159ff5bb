"""Messages become the one text that the model reads.

Text in, text out. The template comes out of a GGUF file, so it is a stranger's program: it runs in
Jinja's immutable sandbox, and in the worker process, which can be ended if it never comes back.
Tokens are only counted here, by a function that the caller brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

Message = dict[str, Any]

# What llama.cpp falls back to where a model brings no template.
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

MAX_PROMPT_CHARACTERS = 16 * 2**20


class PromptError(ValueError):
    """The template does not parse, refuses these messages, or misbehaves."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, and no way to fill the memory with one multiplication."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" and not (numbers and abs(left) < 1e6 and abs(right) < 64):
            raise PromptError("the template computes an absurd power")
        if operator == "*" and not numbers:
            times = right if isinstance(right, int) else left
            if isinstance(times, int) and times > 10_000:
                raise PromptError("the template repeats a text absurdly often")
        if operator == "%" and isinstance(left, str):
            raise PromptError("the template formats a text with '%'")
        return super().call_binop(context, operator, left, right)


def compile_template(source: str) -> Template:
    """A template as llama.cpp and transformers understand it."""
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    try:
        return environment.from_string(source)
    except (TemplateError, RecursionError) as error:
        raise PromptError(f"the model's chat template does not parse: {error}") from None


def render(template: Template, messages: list[Message], variables: dict[str, Any]) -> str:
    """The text of a conversation, open for the assistant's next words."""
    pieces: list[str] = []
    length = 0
    try:
        for piece in template.generate(messages=messages, add_generation_prompt=True, **variables):
            length += len(piece)
            if length > MAX_PROMPT_CHARACTERS:
                raise PromptError("the chat template writes an endless prompt")
            pieces.append(piece)
    except PromptError:
        raise
    except Exception as error:  # whatever a stranger's template can raise
        raise PromptError(f"the chat template failed: {error}") from None
    return "".join(pieces)


def go_writer(source: str, **values: Any) -> Callable[[list[Message]], str]:
    """A function that makes messages the prompt, through a template in Go's language.

    `values` are those of `render_chat`: tools, think, prompt and suffix.
    """
    from jimoto.daemon import gotemplate  # late: most models bring Jinja
    from jimoto.daemon.gochat import render_chat

    try:
        template = gotemplate.parse_template(source)
    except gotemplate.TemplateError as error:
        raise PromptError(f"template error: {error}") from None

    def write(messages: list[Message]) -> str:
        try:
            return render_chat(template, messages, today=date.today(), **values)
        except gotemplate.TemplateError as error:
            raise PromptError(f"template error: {error}") from None

    return write


def drop_oldest(messages: list[Message], fits: Callable[[list[Message]], bool]) -> list[Message]:
    """As many of the newest messages as fit; system messages and the last one always stay."""
    if not messages or fits(messages):
        return messages
    # Fewer messages never need more room, so the first that fits is found by halving.
    low, high = 1, len(messages) - 1
    while low < high:
        middle = (low + high) // 2
        if fits(_without_first(messages, middle)):
            high = middle
        else:
            low = middle + 1
    return _without_first(messages, min(low, len(messages) - 1))


def _without_first(messages: list[Message], count: int) -> list[Message]:
    return [m for m in messages[:count] if m.get("role") == "system"] + messages[count:]


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)
