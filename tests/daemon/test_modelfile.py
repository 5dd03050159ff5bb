"""Modelfiles: the 73 cases of the reference (section 3.3), an oracle, what a learner reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimoto import errors
from jimoto.daemon.modelfile import (
    Command,
    CreateRequest,
    choose_files,
    format_modelfile,
    parse_modelfile,
    to_request,
)
from jimoto.daemon.options import OPTION_KINDS

NBSP, JOINER, WIDE = "\u00a0", "\u200d", "\u3000"
A = "FROM a\n"

# Where Ollama says ...: (line N) and the allowed words; (eof) and the word being read.
INSTRUCTION = "(line {}): command must be one of"
ROLE = "(line {}): message role must be one of"
EOF = "unexpected EOF"
NO_FROM = "no FROM line"

# number, text, what is read
READ = [
    (1, "FROM foo", [("model", "foo")]),
    (2, "fRoM foo\n", [("model", "foo")]),
    (3, "\t FROM foo", [("model", "foo")]),
    (4, "FROM   foo  \n", [("model", "foo")]),
    (5, 'FROM "  my model "', [("model", "  my model ")]),
    (6, "FROM /a/b c.gguf", [("model", "/a/b c.gguf")]),
    (7, "FROM a # note", [("model", "a # note")]),
    (8, "# c\nFROM a\n  # c2\nSYSTEM s", [("model", "a"), ("system", "s")]),
    (12, "PARAMETER seed 1\nFROM a", [("seed", "1"), ("model", "a")]),
    (13, "FROM a\nFROM b", [("model", "a"), ("model", "b")]),
    (15, "FROM ", [("model", "")]),
    (20, "FROM a\r\nSYSTEM s\r\n", [("model", "a"), ("system", "s")]),
    (21, "\ufeffFROM a".encode("utf-16-le"), [("model", "a")]),
    (21, "\ufeffFROM a\nSYSTEM 豆".encode("utf-16-be"), [("model", "a"), ("system", "豆")]),
    (21, "\ufeffFROM a".encode(), [("model", "a")]),
    (21, "\ufeffFROM a", [("model", "a")]),
]

# number, text after `FROM a⏎`, what is read after (model, a)
READ_AFTER_FROM = [
    (23, "SYSTEM ", [("system", "")]),
    (24, 'SYSTEM ""', [("system", "")]),
    (25, 'SYSTEM """"""', [("system", "")]),
    (27, 'SYSTEM """\nx\n"""', [("system", "\nx\n")]),
    (28, 'SYSTEM """x\ny"""  \t', [("system", "x\ny")]),
    (29, 'SYSTEM """a "b" c"""', [("system", 'a "b" c')]),
    (30, 'SYSTEM """x"""y"""', [("system", 'x"""y')]),
    (31, 'SYSTEM """a""""', [("system", 'a"')]),
    (34, 'SYSTEM """x""" tail\nSYSTEM """y"""', [("system", 'x""" tail\nSYSTEM """y')]),
    (35, 'SYSTEM "l1\nl2"', [("system", "l1\nl2")]),
    (38, "SYSTEM 'x y'", [("system", "'x y'")]),
    (39, 'SYSTEM a "b" c', [("system", 'a "b" c')]),
    (40, 'SYSTEM "a" "b"', [("system", 'a" "b')]),
    (41, r'SYSTEM "a\"b"', [("system", r"a\"b")]),
    (42, 'SYSTEM "\'"', [("system", "'")]),
    (43, "SYSTEM a\tb", [("system", "a\tb")]),
    (44, f"SYSTEM a{NBSP}b{JOINER}c", [("system", "abc")]),
    (45, 'SYSTEM """a\r\nb"""', [("system", "a\r\nb")]),
    (46, "PARAMETER stop ### User: ", [("stop", "### User:")]),
    (47, 'PARAMETER stop "### User: "', [("stop", "### User: ")]),
    (48, 'PARAMETER stop """a\n"""', [("stop", "a\n")]),
    (49, "PARAMETER stop a\nPARAMETER stop b", [("stop", "a"), ("stop", "b")]),
    (50, "PARAMETER seed 1\nPARAMETER seed 2", [("seed", "1"), ("seed", "2")]),
    (51, "PARAMETER  seed 1", [("", "seed 1")]),
    (53, "PARAMETER seed \n", [("seed", "")]),
    (56, "PARAMETER NUM_CTX 1", [("NUM_CTX", "1")]),
    (57, "PARAMETER num_ctx 4.5", [("num_ctx", "4.5")]),
    (58, "PARAMETER temperature hot", [("temperature", "hot")]),
    (59, "PARAMETER use_mmap maybe", [("use_mmap", "maybe")]),
    (60, "PARAMETER mirostat 1", [("mirostat", "1")]),
    (61, "PARAMETER temperature 0.5", [("temperature", "0.5")]),
    (62, "MESSAGE user hi: there", [("message", "user: hi: there")]),
    (63, 'MESSAGE user """\nhi\n"""', [("message", "user: \nhi\n")]),
    (64, 'MESSAGE user ""', [("message", "user: ")]),
    (64, "MESSAGE user \n", [("message", "user: ")]),
    (67, 'LICENSE MIT\nLICENSE """A\nB"""', [("license", "MIT"), ("license", "A\nB")]),
    (68, "TEMPLATE {{ .Prompt }}", [("template", "{{ .Prompt }}")]),
    (69, 'TEMPLATE """{{ if .S }}\nx"{{ end }}"""', [("template", '{{ if .S }}\nx"{{ end }}')]),
    (
        70,
        "ADAPTER ./x.gguf\nRENDERER r\nPARSER p\nDRAFT ./d",
        [("adapter", "./x.gguf"), ("renderer", "r"), ("parser", "p"), ("draft", "./d")],
    ),
    (71, "REQUIRES 0.14.0\nREQUIRES v0.14", [("requires", "0.14.0"), ("requires", "v0.14")]),
    (72, "DRAFT ./m.gguf", [("draft", "./m.gguf")]),
]

# number, text, kind of error, the line a person sees, how Ollama's own text begins
REFUSED = [
    (9, "#FROM a", errors.FromMissing, 0, NO_FROM),
    (10, "", errors.FromMissing, 0, NO_FROM),
    (10, " \n\t\r\n ", errors.FromMissing, 0, NO_FROM),
    (11, "SYSTEM s", errors.FromMissing, 0, NO_FROM),
    (14, "FROM", errors.InstructionEmpty, 1, EOF),
    (16, "FROM\nfoo", errors.InstructionEmpty, 1, INSTRUCTION.format(2)),
    (17, "FROM1 foo", errors.InstructionUnknown, 1, INSTRUCTION.format(1)),
    (17, "FROM: foo", errors.InstructionMalformed, 1, INSTRUCTION.format(1)),
    (18, "FROM a\nRUN x", errors.InstructionUnknown, 2, INSTRUCTION.format(2)),
    (19, "FROM a\nSYSTEM x\ny z", errors.InstructionUnknown, 3, INSTRUCTION.format(3)),
    (20, "FROM a\r\nRUN x", errors.InstructionUnknown, 2, INSTRUCTION.format(3)),
    (22, "FROM a\nSYSTEM\n", errors.InstructionEmpty, 2, INSTRUCTION.format(3)),
    (26, 'FROM a\nSYSTEM """""', errors.QuoteUnclosed, 2, EOF),
    (32, 'FROM a\nSYSTEM """x"" ', errors.QuoteUnclosed, 2, EOF),
    (33, 'FROM a\nSYSTEM """x""" tail\nPARAMETER seed 1', errors.QuoteUnclosed, 2, EOF),
    (36, 'FROM a\nSYSTEM "say "hi"\nmore"', errors.InstructionUnknown, 3, INSTRUCTION.format(3)),
    (37, 'FROM a\nSYSTEM "', errors.QuoteUnclosed, 2, EOF),
    (52, "FROM a\nPARAMETER seed\n", errors.InstructionEmpty, 2, f"{EOF}: seed"),
    (54, "FROM a\nPARAMETER\n", errors.InstructionEmpty, 2, INSTRUCTION.format(3)),
    (55, "FROM a\nPARAMETER num-ctx 1", errors.ParameterUnknown, 2, f"{EOF}: num"),
    (65, "FROM a\nMESSAGE User hi", errors.RoleUnknown, 2, ROLE.format(2)),
    (65, "FROM a\nMESSAGE tool hi", errors.RoleUnknown, 2, ROLE.format(2)),
    (65, "FROM a\nMESSAGE  user hi", errors.InstructionMalformed, 2, ROLE.format(2)),
    (66, "FROM a\nMESSAGE user\n", errors.InstructionEmpty, 2, f"{EOF}: user"),
    (66, "FROM a\nMESSAGE user", errors.InstructionEmpty, 2, f"{EOF}: user"),
    (66, "FROM a\nMESSAGE user: hi", errors.InstructionMalformed, 2, f"{EOF}: user"),
]

# number, text after `FROM a⏎`, fields of the request
REQUESTED = [
    (49, "PARAMETER stop a\nPARAMETER stop b", {"parameters": {"stop": ["a", "b"]}}),
    (50, "PARAMETER seed 1\nPARAMETER seed 2", {"parameters": {"seed": 2}}),
    (60, "PARAMETER mirostat 1", {}),
    (61, "PARAMETER temperature 0.5", {"parameters": {"temperature": 0.5}}),
    (62, "MESSAGE user hi: there", {"messages": [{"role": "user", "content": "hi: there"}]}),
    (64, 'MESSAGE user ""', {"messages": [{"role": "user", "content": ""}]}),
    (67, 'LICENSE MIT\nLICENSE """A\nB"""', {"license": ["MIT", "A\nB"]}),
    (71, "REQUIRES v0.14", {"requires": "0.14"}),
    (71, "REQUIRES 0.14.0-rc.1+b2", {"requires": "0.14.0-rc.1+b2"}),
]

# number, text after `FROM a⏎`, kind of error in the second step
REQUEST_REFUSED = [
    (51, "PARAMETER  seed 1", errors.InstructionMalformed),
    (53, "PARAMETER seed \n", errors.ParameterValueWrong),
    (56, "PARAMETER NUM_CTX 1", errors.ParameterUnknown),
    (57, "PARAMETER num_ctx 4.5", errors.ParameterValueWrong),
    (58, "PARAMETER temperature hot", errors.ParameterValueWrong),
    (59, "PARAMETER use_mmap maybe", errors.ParameterValueWrong),
    (71, "REQUIRES soon", errors.VersionWrong),
    (71, "REQUIRES 01.2", errors.VersionWrong),
]


def request(text: str, *on_disk: str) -> CreateRequest:
    return to_request(
        parse_modelfile(text), folder="/kit", exists=on_disk.__contains__, expand_user=expand
    )


def expand(path: str) -> str:
    return path.replace("~", "/home/mai", 1) if path.startswith("~") else path


def pairs(commands: tuple[Command, ...]) -> list[tuple[str, str]]:
    return [(command.name, command.argument) for command in commands]


def test_every_case_of_the_reference_is_in_a_table() -> None:
    tables = (READ, READ_AFTER_FROM, REFUSED, REQUESTED, REQUEST_REFUSED)
    numbers = {row[0] for table in tables for row in table} | {73}  # 73: beside the disk, below
    assert numbers == set(range(1, 74))


@pytest.mark.parametrize(("number", "text", "expected"), READ)
def test_it_is_read_as_ollama_reads_it(
    number: int, text: bytes | str, expected: list[tuple[str, str]]
) -> None:
    assert pairs(parse_modelfile(text)) == expected


@pytest.mark.parametrize(("number", "text", "expected"), READ_AFTER_FROM)
def test_after_from_it_is_read_as_ollama_reads_it(
    number: int, text: str, expected: list[tuple[str, str]]
) -> None:
    assert pairs(parse_modelfile(A + text)) == [("model", "a"), *expected]


@pytest.mark.parametrize(("number", "text", "kind", "line", "ollama"), REFUSED)
def test_what_ollama_refuses_is_refused(
    number: int, text: str, kind: type[errors.ModelfileError], line: int, ollama: str
) -> None:
    with pytest.raises(errors.ModelfileError) as caught:
        parse_modelfile(text)
    found = caught.value
    assert (type(found), found.line, found.ollama[: len(ollama)]) == (kind, line, ollama)


@pytest.mark.parametrize(("number", "text", "fields"), REQUESTED)
def test_commands_become_typed_fields(number: int, text: str, fields: dict[str, object]) -> None:
    assert request(A + text).fields() == {"from": "a", **fields}


@pytest.mark.parametrize(("number", "text", "kind"), REQUEST_REFUSED)
def test_the_second_step_refuses(number: int, text: str, kind: type[errors.ModelfileError]) -> None:
    with pytest.raises(errors.ModelfileError) as caught:
        request(A + text)
    assert (type(caught.value), caught.value.line) == (kind, 2)


# --- files ----------------------------------------------------------------------------------------


def test_case_72_a_draft_model_is_another_file() -> None:
    with pytest.raises(errors.DraftIsModel):
        request("FROM ./m.gguf\nDRAFT m.gguf", "/kit/m.gguf")


def test_case_73_a_file_comes_before_a_name() -> None:
    assert request("FROM x", "/kit/x").files == ("/kit/x",)
    assert request("FROM x").base == "x"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("m.gguf", "/kit/m.gguf"),
        ("./m.gguf", "/kit/m.gguf"),
        ("../m.gguf", "/m.gguf"),
        ("/a/m.gguf", "/a/m.gguf"),
        ("~/m.gguf", "/home/mai/m.gguf"),
        (".", "/kit"),
    ],
)
def test_paths_count_from_the_folder_of_the_modelfile(written: str, path: str) -> None:
    assert request(f"FROM {written}", path).files == (path,)


def test_from_files_are_a_union_and_of_names_the_last_wins() -> None:
    asked = request("FROM a\nFROM x.gguf\nFROM y.gguf\nFROM b", "/kit/x.gguf", "/kit/y.gguf")
    assert (asked.base, asked.files) == ("b", ("/kit/x.gguf", "/kit/y.gguf"))


def test_an_adapter_must_exist_and_the_last_one_wins() -> None:
    text = "FROM a\nADAPTER x.gguf\nADAPTER y.gguf"
    assert request(text, "/kit/x.gguf", "/kit/y.gguf").adapter == "/kit/y.gguf"
    with pytest.raises(errors.ModelfilePathMissing):
        request(text, "/kit/y.gguf")


def test_from_with_nothing_after_it_is_refused_in_the_second_step() -> None:
    with pytest.raises(errors.InstructionEmpty):
        request("FROM ", "/kit")


def test_the_last_of_a_repeated_instruction_wins() -> None:
    asked = request("FROM a\nSYSTEM x\nSYSTEM y\nTEMPLATE p\nTEMPLATE q\nREQUIRES 1\nREQUIRES 2.0")
    assert (asked.system, asked.template, asked.requires) == ("y", "q", "2.0")


def test_deprecated_parameters_are_named_once_and_left_out() -> None:
    asked = request("FROM a\nPARAMETER mirostat 1\nPARAMETER mirostat 2\nPARAMETER low_vram true")
    assert (asked.deprecated, asked.parameters) == (("mirostat", "low_vram"), {})


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["a.gguf", "b.gguf", "x.bin"], ["a.gguf", "b.gguf"]),
        (["x.gguf", "model-1.safetensors", "s/model.safetensors"],
         ["model-1.safetensors", "s/model.safetensors"]),
        (["pytorch_model.bin", "x.gguf", "tokenizer.model"],
         ["pytorch_model.bin", "tokenizer.model"]),
        (["model.safetensors", "config.json", "a/b.json", "a/b/c.json", "chat_template.jinja"],
         ["model.safetensors", "a/b.json", "chat_template.jinja", "config.json"]),
        (["config.json", "README.md"], []),
    ],
)  # fmt: skip
def test_a_folder_gives_its_first_kind_of_weights(names: list[str], chosen: list[str]) -> None:
    assert list(choose_files(names)) == chosen


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "-1", -1),
        ("seed", "+7", 7),
        ("seed", "1_000", None),
        ("seed", "９", None),
        ("seed", "9223372036854775808", None),
        ("temperature", "1", 1.0),
        ("temperature", "1e-3", 0.001),
        ("temperature", "inf", None),
        ("temperature", "nan", None),
        ("temperature", "4e38", None),
        ("use_mmap", "T", True),
        ("use_mmap", "0", False),
        ("use_mmap", "yes", None),
        ("stop", "", [""]),
    ],
)
def test_parameter_values_are_typed_as_go_types_them(name: str, text: str, value: object) -> None:
    text = f"FROM a\nPARAMETER {name} {text}"
    if value is None:
        with pytest.raises(errors.ParameterValueWrong):
            request(text)
    else:
        assert request(text).parameters == {name: value}


# --- what a learner is told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says", "write"),
    [
        ("PARAMETER temperature=0.7", "not '='", "PARAMETER temperature 0.7"),
        ("PARAMETER temperature = 0.7", "not '='", "PARAMETER temperature 0.7"),
        ("PARAMETER temperature: 0.7", "not ':'", "PARAMETER temperature 0.7"),
        (f"PARAMETER temperature{WIDE}0.7", f"not '{WIDE}'", "PARAMETER temperature 0.7"),
        ("PARAMETER num-ctx 4096", "no parameter 'num-ctx'", "PARAMETER num_ctx 4096"),
        ("PARAMETER NUM_CTX 4096", "no parameter 'NUM_CTX'", "PARAMETER num_ctx 4096"),
        ("PARAMETER temprature 0.7", "no parameter 'temprature'", "PARAMETER temperature 0.7"),
        ("PARAMETER temperature ０．７", "takes a number", "PARAMETER temperature 0.7"),
        ("PARAMETER seed 4.5", "takes a whole number", "PARAMETER seed 42"),
        ("PARAMETER  seed 1", "exactly one space", "PARAMETER seed 1"),
        ("PARAMETER seed", "Nothing stands after 'PARAMETER seed'", "PARAMETER seed 42"),
        ("SYTEM You are kind.", "'SYTEM' is not an instruction", "SYSTEM You are kind."),
        ("ＳＹＳＴＥＭ hi", "is not an instruction", "SYSTEM hi"),
        ("SYSTEM: hi", "not ':'", "SYSTEM hi"),
        (f"SYSTEM{WIDE}hi", f"not '{WIDE}'", "SYSTEM hi"),
        ("and be brief", "'and' is not an instruction", '"""'),
        ("MESSAGE User hi", "'User' is not a role", "MESSAGE user hi"),
        ("MESSAGE user: hi", "not ':'", "MESSAGE user hi"),
        ('SYSTEM """hi', "does not end", '"""'),
        ("REQUIRES soon", "'soon' is not a version", "REQUIRES 0.14.0"),
    ],
)
def test_a_near_miss_is_answered_with_the_line_to_write(text: str, says: str, write: str) -> None:
    with pytest.raises(errors.ModelfileError) as caught:
        request(f"# mine\n{A}{text}\n")
    english, japanese = caught.value.text("en"), caught.value.text("ja")
    assert english.startswith(f"Modelfile, line 3: `{text}`\n")
    assert says in english and f"{write}`" in english
    assert japanese.startswith(f"Modelfileの3行目: `{text}`\n") and f"{write}`" in japanese


def test_the_modelfile_line_of_the_style_page_reads_as_written_there() -> None:
    with pytest.raises(errors.ParameterMalformed) as caught:
        parse_modelfile("FROM a\n\n\nPARAMETER temperature=0.7")
    assert caught.value.text("en") == (
        "Modelfile, line 4: `PARAMETER temperature=0.7`\n"
        "Between name and value stands a space, not '='.\n"
        "Write `PARAMETER temperature 0.7`."
    )
    assert caught.value.text("ja") == (
        "Modelfileの4行目: `PARAMETER temperature=0.7`\n"
        "名前と値の間は '=' ではなく空白です。\n"
        "`PARAMETER temperature 0.7` と書いてください。"
    )


def test_every_suggested_parameter_line_is_one_that_works() -> None:
    for name in OPTION_KINDS:
        with pytest.raises(errors.InstructionEmpty) as caught:
            parse_modelfile(f"{A}PARAMETER {name}")
        assert name in request(A + caught.value.suggestion).parameters


# --- the printer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (Command("model", "mame"), "FROM mame"),
        (Command("model", " my model"), 'FROM " my model"'),
        (Command("system", "Be brief."), "SYSTEM Be brief."),
        (Command("system", ""), 'SYSTEM ""'),
        (Command("system", "two\nlines"), 'SYSTEM "two\nlines"'),
        (Command("system", 'two\n"lines" here'), 'SYSTEM """two\n"lines" here"""'),
        (Command("system", 'say "hi"'), 'SYSTEM say "hi"'),
        (Command("system", '"hi"'), 'SYSTEM ""hi""'),  # Ollama prints "hi", and reads hi
        (Command("system", '"'), 'SYSTEM """""""'),
        (Command("system", "a\rb"), 'SYSTEM "a\rb"'),
        (Command("system", "\ta"), 'SYSTEM "\ta"'),
        (Command("stop", "User: "), 'PARAMETER stop "User: "'),
        (Command("", "seed 1"), "PARAMETER  seed 1"),
        (Command("message", "user: hi: there"), "MESSAGE user hi: there"),
        (Command("message", "no role"), "PARAMETER message no role"),
        (Command("from", "x"), "PARAMETER from x"),
    ],
)
def test_values_are_quoted_only_where_they_must_be(command: Command, line: str) -> None:
    printed = format_modelfile([Command("model", "a"), command])
    assert printed == f"FROM a\n{line}\n"
    assert parse_modelfile(printed)[1] == command


@pytest.mark.parametrize(
    ("value", "lost"),
    [
        (f"全角{WIDE}空白", "U+3000"),
        (f"a{JOINER}b", "U+200D"),
        ("a\x00b", "U+0000"),
        ('x"""\n"y"\nz', '"'),
    ],
)
def test_a_value_that_the_grammar_cannot_hold_is_refused_by_name(value: str, lost: str) -> None:
    commands = [Command("model", "a"), Command("system", value)]
    with pytest.raises(errors.ModelfileCannotHold) as caught:
        format_modelfile(commands)
    assert (caught.value.instruction, caught.value.lost) == ("SYSTEM", lost)
    assert value in format_modelfile(commands, strict=False)


def test_a_modelfile_without_from_is_not_printed() -> None:
    with pytest.raises(errors.FromMissing):
        format_modelfile([Command("system", "x")])
    assert format_modelfile([Command("system", "x")], strict=False) == "SYSTEM x\n"


# --- properties -----------------------------------------------------------------------------------


MACHINE_WORDS = (
    "FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "ADAPTER", "LICENSE", "MESSAGE", "RENDERER",
    "PARSER", "DRAFT", "REQUIRES",
)  # fmt: skip


def read_by_machine(text: str) -> list[tuple[str, str]] | None:
    """Section 3.1 once more, character by character and slowly: what ours is compared with."""
    commands: list[tuple[str, str]] = []
    state, name, role, buffer = "blank", "", "", ""
    for c in [*text, None]:
        newline, space = c in ("\r", "\n"), c in (" ", "\t")
        if state == "blank" or state == "comment":
            if c is None:
                break
            if state == "comment":
                state = "blank" if newline else "comment"
            elif c == "#":
                state = "comment"
            elif not newline and not space:
                state, buffer = "name", c if c.isprintable() else ""
        elif state == "name":
            if space:
                name = buffer.lower()
                if name.upper() not in MACHINE_WORDS:
                    return None
                state, buffer = {"parameter": "key", "message": "role"}.get(name, "value"), ""
                name = "model" if name == "from" else name
            elif c is not None and c.isascii() and c.isalpha():
                buffer += c
            else:
                return None
        elif state in ("key", "role"):
            letter = c is not None and c.isascii() and c.isalpha()
            if letter or (state == "key" and c is not None and c in "0123456789_"):
                buffer += c or ""
            elif not space or (state == "role" and buffer not in ("system", "user", "assistant")):
                return None
            else:
                name, role = (buffer, "") if state == "key" else (name, buffer)
                state, buffer = "value", ""
        elif newline or c is None:
            value = buffer.strip(" \t\r\n")
            quote = '"""' if value.startswith('"""') else '"' if value.startswith('"') else ""
            if quote and (len(value) < 2 * len(quote) or not value.endswith(quote)):
                buffer += c or ""
                if c is None:
                    return None
            else:
                value = value[len(quote) : len(value) - len(quote)]
                commands.append((name, f"{role}: {value}" if role else value))
                state, role = "blank", ""
        elif space or c.isprintable():
            buffer += c
        if c is None and state not in ("blank", "comment"):
            return None
    return commands if any(name == "model" for name, _ in commands) else None


PIECES = st.sampled_from(
    ["FROM", "from", "SYSTEM", "PARAMETER", "MESSAGE", "stop", "seed", "user", "model", "message",
     "x", "豆", ":", ": ", " ", " ", " ", "\t", "\n", "\n", "\n", "\r", '"', '"', '"""', "#", "_",
     "1", WIDE, NBSP, "\x00", "\\", "'"]
)  # fmt: skip
SCRAPS = st.lists(PIECES, max_size=25).map("".join)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["FROM ", "SYSTEM ", "PARAMETER stop ", "MESSAGE user ", "LICENSE ", "# "]),
        SCRAPS,
    ).map("".join),
    max_size=4,
).map(lambda lines: "\n".join(["FROM a", *lines]))


@settings(max_examples=150, deadline=None)
@given(text=SCRAPS | LINES)
def test_ours_reads_what_the_slow_machine_reads(text: str) -> None:
    expected = read_by_machine(text)
    try:
        found = pairs(parse_modelfile(text))
    except errors.ModelfileError as error:
        assert expected is None, error
        assert error.text("en") and error.text("ja")
    else:
        assert found == expected


@settings(max_examples=100, deadline=None)
@given(text=LINES)
def test_what_was_read_can_be_printed_and_read_again(text: str) -> None:
    try:
        commands = parse_modelfile(text)
    except errors.ModelfileError:
        return
    assert parse_modelfile(format_modelfile(commands)) == commands


NAMES = st.sampled_from(
    ["system", "template", "license", "stop", "seed", "", "message", "from", "requires", "a-b", "é"]
)


@settings(max_examples=100, deadline=None)
@given(commands=st.lists(st.builds(Command, NAMES, st.text(max_size=20) | SCRAPS), max_size=4))
def test_what_is_printed_is_read_back_and_the_rest_is_refused(commands: list[Command]) -> None:
    commands = [Command("model", "a"), *commands]
    try:
        printed = format_modelfile(commands)
    except errors.ModelfileCannotHold:
        return
    assert list(parse_modelfile(printed)) == commands


@settings(max_examples=50, deadline=None)
@given(source=st.binary(max_size=60))
def test_any_bytes_are_commands_or_a_modelfile_error(source: bytes) -> None:
    try:
        commands = parse_modelfile(source)
        to_request(commands, folder="/kit", exists=lambda path: False, expand_user=expand)
    except errors.ModelfileError as error:
        assert error.text("en") and error.text("ja")


def test_a_long_text_inside_an_open_quote_takes_no_time_to_speak_of() -> None:
    text = 'FROM a\nSYSTEM """' + "\n" * 100_000 + "x \n" * 100_000
    with pytest.raises(errors.QuoteUnclosed):
        parse_modelfile(text)
    assert len(parse_modelfile(f'{text}"""')[1].argument) == 400_000
