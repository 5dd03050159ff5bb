"""The chat template: messages become the one text that mame reads; which part of it is learned.

ChatML turns. With thinking on the prompt ends in an open `<think>`, with thinking off in a closed,
empty one; thoughts of earlier turns are dropped. It knows no weights and no training loop.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from mame.corpus.sample import Message, Sample

END_OF_TEXT, TURN_START, TURN_END, THINK_OPEN, THINK_CLOSE = SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
)

# Plain Jinja that jinja2 and llama.cpp read alike. Absent `enable_thinking` means on, as in Ollama.
# Tools take one line each, `name(argument, argument): description`, for a schema in JSON is a long
# text for a tiny model; a call is written as Qwen writes it, so that servers know how to read it.
TEMPLATE = (
    "{%- if tools %}"
    "{{- '<|im_start|>tools\\n' }}"
    "{%- for tool in tools %}"
    "{%- set f = tool.function %}"
    "{%- set names = (f.parameters.properties or {}) | list %}"
    "{{- f.name + '(' + names | join(', ') + '): ' + (f.description or '') + '\\n' }}"
    "{%- endfor %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- for message in messages %}"
    # a namespace, for what a loop sets is forgotten after the loop
    "{%- set turn = namespace(text=message.content if message.content is string else '') %}"
    "{%- for call in message.tool_calls or [] %}"
    "{%- set arguments = call.function.arguments %}"
    "{%- if arguments is not string %}{%- set arguments = arguments | tojson %}{%- endif %}"
    '{%- set turn.text = turn.text + \'<tool_call>\\n{"name": "\' + call.function.name'
    " + '\", \"arguments\": ' + arguments + '}\\n</tool_call>' %}"
    "{%- endfor %}"
    "{%- if message.role == 'assistant' and '</think>' in turn.text %}"
    "{%- set turn.text = turn.text.split('</think>')[-1].lstrip('\\n') %}"
    "{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + turn.text + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}"
    "{%- else %}"
    "{{- '<think>\\n' }}"
    "{%- endif %}"
    "{%- endif %}"
)

# Half of a prompt is chance (names, numbers), and predicting it would cost a fifth of a step.
ANSWER_WEIGHT, HISTORY_WEIGHT, PROMPT_WEIGHT = 1.0, 0.7, 0.0


def render_turn(role: str, content: str) -> str:
    return f"{TURN_START}{role}\n{content}{TURN_END}\n"


def render_tools(tools: Iterable[str]) -> str:
    lines = "".join(f"{tool}\n" for tool in tools)
    return f"{TURN_START}tools\n{lines}{TURN_END}\n" if lines else ""


def render_prompt(messages: Iterable[Message], thinking: bool, tools: Iterable[str] = ()) -> str:
    """The same text as TEMPLATE gives, without Jinja."""
    turns = render_tools(tools) + "".join(
        render_turn(
            m.role,
            m.content.split(THINK_CLOSE)[-1].lstrip("\n") if m.role == "assistant" else m.content,
        )
        for m in messages
    )
    return (
        turns
        + f"{TURN_START}assistant\n"
        + (f"{THINK_OPEN}\n" if thinking else f"{THINK_OPEN}\n\n{THINK_CLOSE}\n\n")
    )


def render_answer(sample: Sample, thinking: bool) -> str:
    """What the model has to write after the prompt."""
    return (f"{sample.thought}\n{THINK_CLOSE}\n\n" if thinking else "") + sample.answer + TURN_END


def split_answer(text: str, thinking: bool) -> tuple[str, str]:
    """What the model wrote → (thought, answer); an endless thought leaves the answer empty."""
    text = text.split(TURN_END)[0].split(END_OF_TEXT)[0]
    if not thinking:
        return "", text.strip()
    thought, closed, answer = text.partition(THINK_CLOSE)
    return thought.strip(), answer.strip() if closed else ""


class Encoded:
    """A sample as text and as tokens, and which token a character stands in."""

    def __init__(self, tokenizer: Any, sample: Sample, thinking: bool) -> None:
        self.text = ""
        self.ids: list[int] = []
        self.weights: list[float] = []  # how much predicting each token counts
        self.starts: list[int] = []  # of each token, its first character
        self.ends: list[int] = []
        for text, weight in weighted(sample, thinking):
            new = tokenizer.encode(text, add_special_tokens=False)
            self.ids += new.ids
            self.weights += [weight] * len(new.ids)
            self.starts += [len(self.text) + start for start, _ in new.offsets]
            self.ends += [len(self.text) + end for _, end in new.offsets]
            self.text += text

    def first(self, start: int) -> int:
        """The token that the character at `start` begins in, be it with the end of another."""
        token = bisect_right(self.starts, start) - 1
        while token and self.ends[token - 1] > start:
            token -= 1
        return token

    def last(self, end: int) -> int:
        """The token of the last character before `end`."""
        return bisect_right(self.starts, end - 1) - 1


def encode_sample(tokenizer: Any, sample: Sample, thinking: bool) -> tuple[list[int], list[float]]:
    """Token ids and, for each, how much predicting it counts."""
    encoded = Encoded(tokenizer, sample, thinking)
    return encoded.ids, encoded.weights


def weighted(sample: Sample, thinking: bool) -> list[tuple[str, float]]:
    """The pieces of text that are encoded by themselves, and how much each counts.

    It is cut beside special tokens, where the tokenizer cuts anyway, and between prompt and answer,
    as when mame speaks: of an empty thought's two line ends the first is the prompt's.
    """
    pieces: list[tuple[str, float]] = [(render_tools(sample.tools), 0.0)]
    for message in sample.messages:
        weight = HISTORY_WEIGHT if message.role == "assistant" else PROMPT_WEIGHT
        pieces += [
            (f"{TURN_START}{message.role}\n", 0.0),
            (message.content + TURN_END, weight),
            ("\n", 0.0),
        ]
    pieces += [(render_prompt((), thinking), 0.0), (render_answer(sample, thinking), ANSWER_WEIGHT)]
    return pieces
