"""The errors that a learner may meet, each with what happened, why, and what to do.

JimotoError
├── SetupError        the environment is not complete
│   ├── PythonTooOld, VenvUnavailable, VenvNotWritable, CompilerMissing, GpuPackagesRefused,
│   └── CacheNotWritable, InstallFailed, PackageMissing
├── ServerError       between this process and a server
│   ├── PortTaken, ServerDidNotStart, ServerNotRunning
├── ModelError        about a model or its file
│   ├── ModelMissing, ModelFileBroken
│   ├── ModelfileError    a line of a Modelfile
│   │   ├── FromMissing, InstructionUnknown, InstructionMalformed, InstructionEmpty,
│   │   ├── ParameterMalformed, ParameterUnknown, ParameterValueWrong, RoleUnknown, QuoteUnclosed,
│   │   └── ModelfilePathMissing, DraftIsModel, VersionWrong, ModelfileCannotHold
│   ├── NotInCatalogue, ShapeUnknown, QuantUnknown, ShapeFileBroken, ConfigIncomplete  what is asked
│   └── MemoryShort, DiskShort, TrialFailed                                will it run on this machine?
└── StorageError      about folders
    ├── FolderNotWritable, FolderMissing

Text stands here in both languages, side by side, so that neither lags behind. Printing and HTTP live
elsewhere. Only the standard library is imported: `install.py` uses this before anything is installed.
"""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass
from typing import ClassVar


def language() -> str:
    """'ja' or 'en': JIMOTO_LANG, else the locale of the system."""
    names = ("JIMOTO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if chosen is None:
        chosen = locale.getlocale()[0] or ""
    return "ja" if chosen.lower().startswith(("ja", "japan")) else "en"


class JimotoError(Exception):
    """An error with three short lines: what happened, the likeliest cause, what to do."""

    en: ClassVar[str]
    ja: ClassVar[str]

    def text(self, lang: str) -> str:
        """The lines in 'en' or 'ja', filled with this error's fields."""
        return (self.ja if lang == "ja" else self.en).format(**vars(self))

    def __str__(self) -> str:
        return self.text(language())


class SetupError(JimotoError):
    """The environment is not complete."""


@dataclass(eq=False)
class PythonTooOld(SetupError):
    found: str
    en = (
        "Python {found} is too old: Jimoto needs 3.11 or newer.\n"
        "Install a newer one (Debian/Ubuntu: `sudo apt install python3`, macOS: `brew install python`, "
        "Windows: `winget install Python.Python.3.13`), then run the same command again."
    )
    ja = (
        "Python {found} は古すぎます。Jimotoには3.11以降が必要です。\n"
        "新しいPythonを入れてから(Debian/Ubuntu: `sudo apt install python3`、macOS: `brew install python`、"
        "Windows: `winget install Python.Python.3.13`)、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class VenvUnavailable(SetupError):
    detail: str
    en = (
        "Python cannot make the environment '.venv': {detail}.\n"
        "On Debian and Ubuntu the module is a package of its own.\n"
        "Run `sudo apt install python3-venv`, then the same command again."
    )
    ja = (
        "環境 '.venv' を作れません: {detail}\n"
        "DebianとUbuntuでは、必要なモジュールが別パッケージになっています。\n"
        "`sudo apt install python3-venv` を実行してから、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class VenvNotWritable(SetupError):
    folder: str
    en = (
        "The environment '{folder}' cannot be written to.\n"
        "Either the folder belongs to somebody else, or a program in it is still running.\n"
        "Close Jupyter, or copy the kit to a folder of your own, then run the same command again."
    )
    ja = (
        "環境 '{folder}' に書き込めません。\n"
        "フォルダーの所有者が別の人か、その中のプログラムがまだ動いているようです。\n"
        "Jupyterを終了するか、キットを自分のフォルダーにコピーして、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class CacheNotWritable(SetupError):
    folder: str
    en = (
        "The folder '{folder}' cannot be written to: the engine's wheel and the log are kept there.\n"
        "Set the variable JIMOTO_CACHE to a folder of your own, then run the same command again."
    )
    ja = (
        "フォルダー '{folder}' に書き込めません(推論エンジンのwheelとログの保存先です)。\n"
        "環境変数JIMOTO_CACHEに書き込めるフォルダーを指定し、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class CompilerMissing(SetupError):
    missing: str
    en = (
        "The engine llama.cpp must be built here, and this is missing: {missing} (no ready-made "
        "wheel is within reach).\n"
        "Debian/Ubuntu: `sudo apt install build-essential cmake` · macOS: `xcode-select --install && brew install "
        "cmake` · Windows: `winget install Microsoft.VisualStudio.2022.BuildTools Kitware.CMake`.\n"
        "Then run the same command again; the build takes about five to ten minutes, once."
    )
    ja = (
        "推論エンジンllama.cppのビルドに必要な {missing} が見つかりません"
        "(配布済みのwheelには届きません)。\n"
        "Debian/Ubuntu: `sudo apt install build-essential cmake` · macOS: `xcode-select --install && brew install "
        "cmake` · Windows: `winget install Microsoft.VisualStudio.2022.BuildTools Kitware.CMake`\n"
        "導入後に同じコマンドをもう一度実行してください。ビルドは初回だけで、5〜10分ほどかかります。"
    )


@dataclass(eq=False)
class GpuPackagesRefused(SetupError):
    packages: str
    index: str
    wheel: str
    en = (
        "PyTorch would bring gigabytes of GPU packages ({packages}), and this machine has no NVIDIA GPU.\n"
        "Its CPU build is out of reach: '{index}' does not answer.\n"
        "Let the network through to that address, or put the wheel '{wheel}' into a folder, set "
        "PIP_FIND_LINKS to that folder, and run the same command again."
    )
    ja = (
        "PyTorchが数GBのGPU用パッケージ({packages})を必要としていますが、このコンピューターにはNVIDIAのGPUがありません。\n"
        "CPU版の配布元 '{index}' は応答しません。\n"
        "このアドレスに接続できるようにするか、wheel '{wheel}' を置いたフォルダーを環境変数PIP_FIND_LINKSに"
        "指定して、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class InstallFailed(SetupError):
    what: str
    log: str
    cause: str  # a key of `causes`
    en = (
        "{what} could not be installed: {why}.\n"
        "The whole output is in '{log}'.\n"
        "{remedy}, then run the same command again; what was finished is kept."
    )
    ja = (
        "{what} をインストールできませんでした: {why}。\n"
        "出力の全文は '{log}' にあります。\n"
        "{remedy}、同じコマンドをもう一度実行してください。済んだ分はそのまま使われます。"
    )
    # cause → language → (why, remedy)
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "network": {
            "en": ("the package index cannot be reached", "Check the network or the proxy"),
            "ja": ("パッケージの配布元に接続できません", "ネットワークかプロキシを確認し"),
        },
        "certificate": {
            "en": (
                "the package index shows a certificate that is not trusted here",
                "Ask who runs the proxy for its certificate and set PIP_CERT to that file",
            ),
            "ja": (
                "パッケージの配布元の証明書を確認できません",
                "プロキシの管理者から証明書を受け取り、そのファイルを環境変数PIP_CERTに指定して",
            ),
        },
        "space": {
            "en": ("the disk is full", "Free some space (3 GB is plenty)"),
            "ja": ("ディスクの空きが足りません", "空きを作り(3 GBあれば十分です)"),
        },
        "version": {
            "en": (
                "the package index has no fitting version for this Python and system",
                "Try Python 3.11, 3.12 or 3.13",
            ),
            "ja": (
                "このPythonとOSに合うバージョンが配布元にありません",
                "Python 3.11、3.12、3.13のいずれかを使い",
            ),
        },
        "conflict": {
            "en": (
                "two packages ask for different versions of a third",
                "Undo local changes to 'constraints.txt' and 'pyproject.toml'",
            ),
            "ja": (
                "パッケージ同士が求めるバージョンが食い違っています",
                "'constraints.txt' と 'pyproject.toml' の変更を元に戻し",
            ),
        },
        "permission": {
            "en": ("a file cannot be written", "Close Jupyter and check who owns the folder"),
            "ja": ("ファイルに書き込めません", "Jupyterを終了し、フォルダーの所有者を確認して"),
        },
        "memory": {
            "en": (
                "the compiler ran out of memory",
                "Close other programs and set CMAKE_BUILD_PARALLEL_LEVEL=1",
            ),
            "ja": (
                "コンパイル中にメモリが足りなくなりました",
                "ほかのプログラムを終了し、環境変数CMAKE_BUILD_PARALLEL_LEVELを1にして",
            ),
        },
        "build": {
            "en": ("the compiler reported an error", "Look for 'error:' in that file"),
            "ja": ("コンパイラーがエラーを報告しました", "そのファイルの 'error:' の行を確認し"),
        },
        "unknown": {
            "en": ("pip reported an error", "Read the last lines of that file"),
            "ja": ("pipがエラーを報告しました", "そのファイルの最後の数行を確認し"),
        },
    }

    def text(self, lang: str) -> str:
        why, remedy = self.causes[self.cause][lang]
        return (self.ja if lang == "ja" else self.en).format(**vars(self), why=why, remedy=remedy)


@dataclass(eq=False)
class PackageMissing(SetupError):
    package: str
    command: str
    en = (
        "The environment is incomplete: the package '{package}' is missing.\n"
        "An installation was probably interrupted.\n"
        "Run `{command}`; it completes what is there."
    )
    ja = (
        "環境が不完全です。パッケージ '{package}' がありません。\n"
        "インストールが途中で止まったようです。\n"
        "`{command}` を実行してください。不足分だけが追加されます。"
    )


class ServerError(JimotoError):
    """Something between this process and a server."""


@dataclass(eq=False)
class PortTaken(ServerError):
    port: int
    command: str
    en = (
        "Port {port} is in use by another program.\n"
        "Choose another one: `{command}`."
    )
    ja = (
        "ポート{port}は別のプログラムが使用中です。\n"
        "別の番号を指定してください: `{command}`"
    )


@dataclass(eq=False)
class ServerDidNotStart(ServerError):
    log: str
    cause: str
    en = (
        "The embedded server did not start: {cause}.\n"
        "What it printed is in '{log}'.\n"
        "Run `jimoto serve` in a terminal to see it live."
    )
    ja = (
        "内蔵サーバーが起動しませんでした: {cause}\n"
        "サーバーの出力は '{log}' にあります。\n"
        "ターミナルで `jimoto serve` を実行すると、様子を直接見られます。"
    )


@dataclass(eq=False)
class ServerNotRunning(ServerError):
    host: str
    en = (
        "No Ollama server answers at '{host}' (connection refused).\n"
        "Neither Ollama nor Jimoto's own server is running there.\n"
        "Run `jimoto.connect()` in a cell, or `jimoto serve` in a terminal."
    )
    ja = (
        "'{host}' でOllamaサーバーが応答しません(接続拒否)。\n"
        "Ollamaも内蔵サーバーも起動していないようです。\n"
        "セルで `jimoto.connect()` を、またはターミナルで `jimoto serve` を実行してください。"
    )


class ModelError(JimotoError):
    """Something about a model or its file."""


@dataclass(eq=False)
class ModelMissing(ModelError):
    model: str
    near: str
    here: str
    en = (
        "Model '{model}' is not on this machine.\n"
        "{near}Here are: {here}.\n"
        "Get another with `ollama pull NAME`."
    )
    ja = (
        "モデル '{model}' はこのコンピューターにありません。\n"
        "{near}ここにあるのは {here} です。\n"
        "追加するには `ollama pull モデル名` を実行してください。"
    )


@dataclass(eq=False)
class ModelFileBroken(ModelError):
    path: str
    cause: str
    en = (
        "The model file '{path}' cannot be used: {cause}.\n"
        "It was probably cut short or changed on the way here.\n"
        "In the kit's folder run `git checkout -- {path}` (or clone again)."
    )
    ja = (
        "モデルファイル '{path}' は使えません: {cause}\n"
        "途中で切れたか、書き換わったようです。\n"
        "キットのフォルダーで `git checkout -- {path}` を実行するか、cloneし直してください。"
    )


@dataclass(eq=False)
class NotInCatalogue(ModelError):
    what: str  # 'model' or 'machine'
    name: str
    near: tuple[str, ...]
    en = (
        "There is no {what_text} '{name}' in Jimoto's catalogue.\n"
        "{near_text}\n"
        "{way}"
    )
    ja = (
        "Jimotoのカタログに{what_text} '{name}' はありません。\n"
        "{near_text}\n"
        "{way}"
    )

    def text(self, lang: str) -> str:
        quoted = ", ".join(f"'{name}'" for name in self.near)
        if lang == "ja":
            what = {"model": "モデル", "machine": "マシン"}[self.what]
            near = f"近い名前: {quoted}" if self.near else "似た名前も見つかりません。"
            way = {
                "model": "`jimoto fit` で一覧を表示するか、config.jsonまたはGGUFファイルのパスを指定してください。",
                "machine": "'8 GB laptop' のように、メモリ容量と名前の一部を指定してください。",
            }[self.what]
        else:
            what = self.what
            near = f"Close to it: {quoted}." if self.near else "No name comes close to it."
            way = {
                "model": "`jimoto fit` lists all; the path of a config.json or a GGUF file works too.",
                "machine": "Give memory and a part of the name, such as '8 GB laptop'.",
            }[self.what]
        return (self.ja if lang == "ja" else self.en).format(
            name=self.name, what_text=what, near_text=near, way=way
        )


@dataclass(eq=False)
class ShapeUnknown(ModelError):
    model: str
    missing: str
    en = (
        "The shape of '{model}' is not known well enough: its source does not give {missing}.\n"
        "Download its config.json and name that file instead."
    )
    ja = (
        "'{model}' の形が十分に分かりません。出典に {missing} の記載がないためです。\n"
        "config.jsonをダウンロードし、モデル名の代わりにそのファイルを指定してください。"
    )


@dataclass(eq=False)
class QuantUnknown(ModelError):
    quant: str
    near: str
    known: str
    en = (
        "There is no quantisation '{quant}' here.\n"
        "{near}Known are: {known}."
    )
    ja = (
        "量子化 '{quant}' はありません。\n"
        "{near}使えるのは {known} です。"
    )


@dataclass(eq=False)
class ShapeFileBroken(ModelError):
    path: str
    cause: str
    en = (
        "The shape of a model cannot be read from '{path}': {cause}.\n"
        "A Hugging Face config.json or a whole GGUF file is needed; download it again."
    )
    ja = (
        "'{path}' からモデルの形を読み取れません: {cause}\n"
        "Hugging Faceのconfig.jsonか、完全なGGUFファイルが必要です。ダウンロードし直してください。"
    )


@dataclass(eq=False)
class ConfigIncomplete(ModelError):
    path: str
    missing: str
    en = (
        "'{path}' does not say how large the model is: it lacks {missing}.\n"
        "It may belong to something other than a language model.\n"
        "Take the config.json that lies beside the model's weights."
    )
    ja = (
        "'{path}' からはモデルの大きさが分かりません({missing} がありません)。\n"
        "言語モデルの設定ファイルではないのかもしれません。\n"
        "モデルの重みと同じ場所にあるconfig.jsonを指定してください。"
    )


@dataclass(eq=False)
class MemoryShort(ModelError):
    model: str
    need_gib: str
    free_gib: str
    weights_gib: str
    kv_gib: str
    context_length: int
    buffers_gib: str
    advice: str
    advice_ja: str
    en = (
        "'{model}' needs about {need_gib} GiB; {free_gib} GiB is free.\n"
        "Weights {weights_gib}, KV cache {kv_gib} ({context_length} tokens), buffers {buffers_gib}.\n"
        "{advice_text}"
    )
    ja = (
        "'{model}' には約{need_gib} GiB必要ですが、空きは{free_gib} GiBです。\n"
        "内訳は重み{weights_gib}、KVキャッシュ{kv_gib}({context_length}トークン)、バッファー{buffers_gib}です。\n"
        "{advice_text}"
    )

    def text(self, lang: str) -> str:
        advice = self.advice_ja if lang == "ja" else self.advice
        return (self.ja if lang == "ja" else self.en).format(**vars(self), advice_text=advice)


@dataclass(eq=False)
class DiskShort(ModelError):
    model: str
    folder: str
    need_gib: str
    free_gib: str
    en = (
        "A trial of '{model}' writes {need_gib} GiB to '{folder}', where {free_gib} GiB is free.\n"
        "Free some space, or name another folder: `--folder PATH`."
    )
    ja = (
        "'{model}' の試行には '{folder}' に {need_gib} GiB書き込みますが、空きは {free_gib} GiBです。\n"
        "空きを作るか、`--folder パス` で別のフォルダーを指定してください。"
    )


@dataclass(eq=False)
class TrialFailed(ModelError):
    model: str
    cause: str  # a key of `causes`
    detail: str
    en = (
        "The trial of '{model}' did not finish: {why}{detail}.\n"
        "{remedy}"
    )
    ja = (
        "'{model}' の試行は完了しませんでした: {why}{detail}\n"
        "{remedy}"
    )
    # cause → language → (why, remedy)
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "memory": {
            "en": (
                "memory ran out, and the child process was stopped before the machine froze",
                "Close other programs, or try a smaller quantisation, such as `--quant Q4_K_M`.",
            ),
            "ja": (
                "メモリが足りなくなり、マシンが固まる前に子プロセスを止めました",
                "ほかのプログラムを終了するか、`--quant Q4_K_M` のように小さい量子化で試してください。",
            ),
        },
        "disk": {
            "en": ("the file cannot be written there", "Name another folder: `--folder PATH`."),
            "ja": ("ファイルを書き込めません", "`--folder パス` で別のフォルダーを指定してください。"),
        },
        "engine": {
            "en": (
                "llama.cpp could not load this shape",
                "`jimoto fit` still predicts it.",
            ),
            "ja": (
                "llama.cppがこの形を読み込めませんでした",
                "予測だけなら `jimoto fit` で行えます。",
            ),
        },
        "time": {
            "en": ("it took too long", "Try a smaller model, or fewer tokens: `--tokens 8`."),
            "ja": (
                "時間がかかりすぎました",
                "小さいモデルか、`--tokens 8` のように少ないトークン数で試してください。",
            ),
        },
    }

    def text(self, lang: str) -> str:
        why, remedy = self.causes[self.cause][lang]
        detail = f" ({self.detail})" if self.detail else ""
        return (self.ja if lang == "ja" else self.en).format(
            model=self.model, why=why, remedy=remedy, detail=detail
        )


@dataclass(eq=False)
class ModelfileError(ModelError):
    """A Modelfile cannot be read: the line, then why, and what to write, in the words of each kind below."""

    line: int  # as an editor counts; 0 where no line is to blame
    source: str  # that line
    ollama: str  # what Ollama itself says, in short
    heads: ClassVar[dict[str, str]] = {
        "en": "Modelfile, line {line}: `{source}`\n",
        "ja": "Modelfileの{line}行目: `{source}`\n",
    }

    def text(self, lang: str) -> str:
        head = self.heads["ja" if lang == "ja" else "en"] if self.line else ""
        body = self.ja if lang == "ja" else self.en
        return (head + body).format(**vars(self), **self.more(lang))

    def more(self, lang: str) -> dict[str, str]:
        """What the text names beside the fields."""
        return {}


@dataclass(eq=False)
class FromMissing(ModelfileError):
    en = (
        "The Modelfile has no FROM line.\n"
        "FROM names the model that everything else is built on.\n"
        "Write `FROM mame` as its first line (or another model, or the path of a GGUF file)."
    )
    ja = (
        "ModelfileにFROMの行がありません。\n"
        "FROMは、もとになるモデルを指定する命令です。\n"
        "最初の行に `FROM mame` と書いてください(ほかのモデル名やGGUFファイルのパスも指定できます)。"
    )


@dataclass(eq=False)
class InstructionUnknown(ModelfileError):
    word: str
    allowed: str
    suggestion: str  # may be empty
    en = "'{word}' is not an instruction. There are: {allowed}.\n{advice}"
    ja = "'{word}' という命令はありません。使えるのは {allowed} です。\n{advice}"

    def more(self, lang: str) -> dict[str, str]:
        if lang == "ja":
            stray = '上の行の続きなら、その文章全体を `"""` で囲んでください。'
            return {"advice": f"`{self.suggestion}` と書いてください。" if self.suggestion else stray}
        stray = 'If the line belongs to the text above it, put `"""` before and after that text.'
        return {"advice": f"Write `{self.suggestion}`." if self.suggestion else stray}


@dataclass(eq=False)
class InstructionMalformed(ModelfileError):
    word: str
    found: str
    suggestion: str
    en = "After '{word}' stands exactly one space, not '{found}'.\nWrite `{suggestion}`."
    ja = "'{word}' の直後は '{found}' ではなく、半角の空白1つです。\n`{suggestion}` と書いてください。"


@dataclass(eq=False)
class InstructionEmpty(ModelfileError):
    word: str
    suggestion: str
    en = "Nothing stands after '{word}' on its line.\nWrite the value there, after one space: `{suggestion}`."
    ja = "'{word}' の行に値がありません。\n同じ行に、空白を1つ入れて書いてください: `{suggestion}`"


@dataclass(eq=False)
class ParameterMalformed(ModelfileError):
    name: str
    found: str
    suggestion: str
    en = "Between name and value stands a space, not '{found}'.\nWrite `{suggestion}`."
    ja = "名前と値の間は '{found}' ではなく空白です。\n`{suggestion}` と書いてください。"


@dataclass(eq=False)
class ParameterUnknown(ModelfileError):
    name: str
    near: str  # may be empty, and then the suggestion is too
    allowed: str
    suggestion: str
    en = "There is no parameter '{name}'.\n{advice}"
    ja = "'{name}' というパラメータはありません。\n{advice}"

    def more(self, lang: str) -> dict[str, str]:
        if lang == "ja":
            near = f"'{self.near}' ならあります: `{self.suggestion}`"
            return {"advice": near if self.near else f"使えるのは {self.allowed} です。"}
        near = f"'{self.near}' is one: write `{self.suggestion}`."
        return {"advice": near if self.near else f"There are: {self.allowed}."}


@dataclass(eq=False)
class ParameterValueWrong(ModelfileError):
    name: str
    value: str
    kind: str  # a key of `kinds`
    suggestion: str
    en = "'{name}' takes {wanted}; '{value}' is none.\nWrite for example `{suggestion}`."
    ja = "'{name}' の値は{wanted}です。'{value}' は使えません。\nたとえば `{suggestion}` と書いてください。"
    kinds: ClassVar[dict[str, dict[str, str]]] = {
        "en": {"int": "a whole number", "float": "a number", "bool": "true or false"},
        "ja": {"int": "整数", "float": "数値", "bool": "trueかfalse"},
    }

    def more(self, lang: str) -> dict[str, str]:
        return {"wanted": self.kinds["ja" if lang == "ja" else "en"][self.kind]}


@dataclass(eq=False)
class RoleUnknown(ModelfileError):
    role: str
    suggestion: str
    en = (
        "'{role}' is not a role: there are system, user and assistant, in small letters.\n"
        "Write `{suggestion}`."
    )
    ja = (
        "'{role}' というロールはありません。system、user、assistantのいずれかを小文字で書きます。\n"
        "`{suggestion}` と書いてください。"
    )


@dataclass(eq=False)
class QuoteUnclosed(ModelfileError):
    quote: str
    en = (
        "The text that begins here with `{quote}` does not end before the file does.\n"
        "Put `{quote}` at the end of its last line, with nothing after it on that line."
    )
    ja = (
        "ここで `{quote}` から始まる文章が、ファイルの終わりまで閉じられていません。\n"
        "文章の最後の行の末尾に `{quote}` を書き、その後ろには何も書かないでください。"
    )


@dataclass(eq=False)
class ModelfilePathMissing(ModelfileError):
    path: str
    en = (
        "There is no file or folder '{path}'.\n"
        "A relative path counts from the folder of the Modelfile. Check the spelling, or write the whole path."
    )
    ja = (
        "'{path}' というファイルやフォルダーはありません。\n"
        "相対パスはModelfileのあるフォルダーが基準です。つづりを確認するか、絶対パスで書いてください。"
    )


@dataclass(eq=False)
class DraftIsModel(ModelfileError):
    path: str
    en = (
        "The draft model is the same file as the model: '{path}'.\n"
        "A draft model is a smaller one that guesses ahead. Name another file, or remove the line."
    )
    ja = (
        "ドラフトモデルがモデル本体と同じファイルです: '{path}'\n"
        "ドラフトモデルは先読みをする小さなモデルです。別のファイルを指定するか、この行を消してください。"
    )


@dataclass(eq=False)
class VersionWrong(ModelfileError):
    value: str
    en = "'{value}' is not a version.\nWrite the oldest Ollama that will do: `REQUIRES 0.14.0`."
    ja = "'{value}' はバージョン番号ではありません。\n必要なOllamaのバージョンを `REQUIRES 0.14.0` のように書いてください。"


@dataclass(eq=False)
class ModelfileCannotHold(ModelfileError):
    instruction: str
    lost: str
    en = (
        "This text of {instruction} cannot be written into a Modelfile: it would not be read back the same.\n"
        "The cause is {lost}: characters that cannot be seen are dropped, and a line may not end like its quote.\n"
        "Change the text there, or create the model with `ollama.create(...)`, which takes any text."
    )
    ja = (
        "この{instruction}の文章はModelfileに書けません。読み戻すと内容が変わってしまいます。\n"
        "原因は {lost} です。見えない文字は捨てられ、行末の引用符は文章の終わりとみなされます。\n"
        "その部分を書き換えるか、どんな文章でも渡せる `ollama.create(...)` でモデルを作成してください。"
    )


class StorageError(JimotoError):
    """Something about the folders that Jimoto writes to."""


@dataclass(eq=False)
class FolderNotWritable(StorageError):
    folder: str
    en = (
        "The folder '{folder}' cannot be written to.\n"
        "Set the variable JIMOTO_HOME to a folder of your own, then run the same command again."
    )
    ja = (
        "フォルダー '{folder}' に書き込めません。\n"
        "環境変数JIMOTO_HOMEに書き込めるフォルダーを指定し、同じコマンドをもう一度実行してください。"
    )


@dataclass(eq=False)
class FolderMissing(StorageError):
    folder: str
    looked: str
    en = (
        "There is no folder '{folder}' in '{looked}'.\n"
        "Go to the folder that you cloned (`cd jimoto`), then run the same command again."
    )
    ja = (
        "'{looked}' にフォルダー '{folder}' がありません。\n"
        "cloneしたフォルダーに移動し(`cd jimoto`)、同じコマンドをもう一度実行してください。"
    )
