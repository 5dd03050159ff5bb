"""The errors that a learner may meet, each with what happened, why, and what to do.

JimotoError
├── SetupError        the environment is not complete
│   ├── PythonTooOld, VenvUnavailable, VenvNotWritable, CompilerMissing, GpuPackagesRefused,
│   └── CacheNotWritable, InstallFailed, PackageMissing
├── ServerError       between this process and a server
│   ├── PortTaken, ServerDidNotStart, ServerNotRunning, NetworkBlocked
├── ModelError        about a model or its file
│   ├── ModelMissing, ModelFileBroken
│   ├── ModelfileError    a line of a Modelfile
│   │   ├── FromMissing, InstructionUnknown, InstructionMalformed, InstructionEmpty,
│   │   ├── ParameterMalformed, ParameterUnknown, ParameterValueWrong, RoleUnknown, QuoteUnclosed,
│   │   └── ModelfilePathMissing, DraftIsModel, VersionWrong, ModelfileCannotHold
│   ├── NotInCatalogue, ShapeUnknown, QuantUnknown, ShapeFileBroken, ConfigIncomplete  what is asked
│   ├── MemoryShort, DiskShort, TrialFailed                                will it run on this machine?
│   └── AdapterError      an adapter, its base model, or the examples it learns from
│       ├── AdapterRefused, AdapterBaseMismatch, AdapterIgnored, CheckpointRefused,
│       └── ExampleBroken, ExampleCountWrong
├── LabError          about labs and their submissions
│   ├── LabMissing, LabNotOpen, TaskUnknown, SubmissionsMissing
├── CommandError      a command line, in one sentence that begins with Ollama's own words
│   ├── VerbUnknown, FlagUnknown, FlagValueWrong, CallWrong, InputNotUtf8, FileNotReadable,
│   ├── ModelNotFound, NothingToStop, NameIsPath, AnswerCutOff, ConnectionLost, Refused, DiskFull,
│   └── ChatNeedsTerminal, PromptMissing, VerbNotServed
└── StorageError      about folders
    ├── FolderNotWritable, FolderMissing, FileIsThere, FileNotWritten,
    └── BundleBroken, ModelIncomplete, StoreOutOfReach, ReportBroken, LessonUnknown

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
    en = "Port {port} is in use by another program.\nChoose another one: `{command}`."
    ja = "ポート{port}は別のプログラムが使用中です。\n別の番号を指定してください: `{command}`"


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


@dataclass(eq=False)
class NetworkBlocked(ServerError, OSError):
    address: str
    en = (
        "'{address}' was not called: inside `offline()` nothing leaves this computer.\n"
        "The block lets 127.0.0.1 through, and stops everything else in this kernel.\n"
        "Move the line below the block if it is meant to use the network."
    )
    ja = (
        "'{address}' には接続していません。`offline()` の中では、このコンピューターの外に出られません。\n"
        "このカーネルから通れるのは127.0.0.1だけです。\n"
        "ネットワークを使う行なら、ブロックの外に移してください。"
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
    en = "There is no {what_text} '{name}' in Jimoto's catalogue.\n{near_text}\n{way}"
    ja = "Jimotoのカタログに{what_text} '{name}' はありません。\n{near_text}\n{way}"

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
    en = "There is no quantisation '{quant}' here.\n{near}Known are: {known}."
    ja = "量子化 '{quant}' はありません。\n{near}使えるのは {known} です。"


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
    en = "The trial of '{model}' did not finish: {why}{detail}.\n{remedy}"
    ja = "'{model}' の試行は完了しませんでした: {why}{detail}\n{remedy}"
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
            "ja": (
                "ファイルを書き込めません",
                "`--folder パス` で別のフォルダーを指定してください。",
            ),
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


class AdapterError(ModelError):
    """Something about an adapter, the model it belongs to, or the examples it learns from."""


@dataclass(eq=False)
class AdapterRefused(AdapterError):
    adapter: str
    cause: str  # a key of `causes`
    detail: str = ""
    en = "Adapter '{adapter}' cannot be used: {why}.\n{remedy}"
    ja = "アダプター '{adapter}' は使えません: {why}。\n{remedy}"
    # cause → language → (why, remedy); {detail} stands for what was found
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "missing": {
            "en": (
                "'{detail}' is not there",
                "Give the folder that PEFT's `model.save_pretrained(folder)` wrote, or a GGUF adapter.",
            ),
            "ja": (
                "'{detail}' がありません",
                "PEFTの `model.save_pretrained(folder)` が書き出したフォルダーか、GGUF形式のアダプターを指定してください。",
            ),
        },
        "config": {
            "en": (
                "'adapter_config.json' cannot be read ({detail})",
                "Save the adapter again with PEFT's `model.save_pretrained(folder)`.",
            ),
            "ja": (
                "'adapter_config.json' を読めません({detail})",
                "PEFTの `model.save_pretrained(folder)` で保存し直してください。",
            ),
        },
        "pickle": {
            "en": (
                "its weights are a pickle, '{detail}'; opening one can run any program, so it was left unread",
                "Ask for it as 'adapter_model.safetensors' (PEFT's `save_pretrained` writes that by default).",
            ),
            "ja": (
                "重みがpickle形式('{detail}')です。開くだけで任意のプログラムが動きうるため、読まずに止めました",
                "'adapter_model.safetensors' 形式のものを入手してください(PEFTの `save_pretrained` の標準の形式です)。",
            ),
        },
        "weights": {
            "en": (
                "its weights file is cut short or damaged ({detail})",
                "Copy or download it again.",
            ),
            "ja": (
                "重みのファイルが途中で切れているか壊れています({detail})",
                "コピーまたはダウンロードし直してください。",
            ),
        },
        "type": {
            "en": (
                "its type is '{detail}', and llama.cpp knows only LORA",
                "Train it again with `LoraConfig`.",
            ),
            "ja": (
                "種類が '{detail}' ですが、llama.cppが扱えるのはLORAだけです",
                "`LoraConfig` で学習し直してください。",
            ),
        },
        "option": {
            "en": (
                "it was trained with {detail}, which a GGUF adapter cannot express",
                "Train it again without that, or merge it with PEFT's `merge_and_unload()` and convert the whole model.",
            ),
            "ja": (
                "{detail} を使って学習されていて、GGUFのアダプターでは表せません",
                "この設定なしで学習し直すか、PEFTの `merge_and_unload()` でマージしてからモデル全体を変換してください。",
            ),
        },
        "whole": {
            "en": (
                "it also changes whole matrices or embeddings ({detail}), not only LoRA pairs",
                "Train it again with attention and MLP matrices as the only target_modules, without modules_to_save.",
            ),
            "ja": (
                "LoRAの行列の組だけでなく、埋め込みや行列全体({detail})も変更しています",
                "modules_to_saveを使わず、target_modulesをアテンションとMLPの行列だけにして学習し直してください。",
            ),
        },
        "tied": {
            "en": (
                "it adapts '{detail}', and this base uses one table for embeddings and output (tied embeddings)",
                "Train it again without 'lm_head' in target_modules.",
            ),
            "ja": (
                "'{detail}' が対象ですが、このベースモデルは埋め込みと出力で同じ表を共有しています(tied embeddings)",
                "target_modulesから 'lm_head' を外して学習し直してください。",
            ),
        },
        "init": {
            "en": (
                "init_lora_weights '{detail}' changed the base model itself before training, so this pair fits no original base",
                "Train it again with init_lora_weights=True, or save it with PEFT's path_initial_model_for_weight_conversion.",
            ),
            "ja": (
                "init_lora_weights '{detail}' は学習の前にベースモデル自体を書き換えるため、元のベースモデルには合いません",
                "init_lora_weights=Trueで学習し直すか、PEFTのpath_initial_model_for_weight_conversionを指定して保存してください。",
            ),
        },
        "rank": {
            "en": ("its rank is {detail}, and a rank is at least 1", "Train it again with r=8."),
            "ja": ("ランクが{detail}です(1以上が必要です)", "r=8などで学習し直してください。"),
        },
        "alpha": {
            "en": (
                "its alpha is {detail}, so its scale is no positive number and it would teach nothing",
                "Train it again with lora_alpha=16.",
            ),
            "ja": (
                "アルファが{detail}のため、スケールが正の数にならず、何も変わりません",
                "lora_alpha=16などで学習し直してください。",
            ),
        },
        "nan": {
            "en": (
                "the tensor '{detail}' contains NaN or infinite numbers",
                "The training diverged: train it again with a smaller learning rate.",
            ),
            "ja": (
                "テンソル '{detail}' にNaNか無限大が含まれています",
                "学習が発散したようです。学習率を下げて学習し直してください。",
            ),
        },
        "half": {
            "en": (
                "of the pair A and B for '{detail}' one matrix is missing, or the two do not fit together",
                "The file is incomplete: save the adapter again.",
            ),
            "ja": (
                "'{detail}' のA・Bの組が片方しかないか、形が合っていません",
                "ファイルが不完全です。アダプターを保存し直してください。",
            ),
        },
        "tensor": {
            "en": (
                "its tensor '{detail}' belongs to no matrix that can be adapted",
                "Use attention and MLP matrices as target_modules (q_proj, v_proj, gate_proj …).",
            ),
            "ja": (
                "テンソル '{detail}' は、アダプターを付けられる行列のものではありません",
                "target_modulesにはアテンションとMLPの行列(q_proj、v_proj、gate_projなど)を指定してください。",
            ),
        },
        "architecture": {
            "en": (
                "the architecture '{detail}' of its base is not among those this kit can convert",
                "Those are: llama, mistral, qwen2, qwen3, gemma2, gemma3.",
            ),
            "ja": (
                "ベースモデルのアーキテクチャー '{detail}' の変換には対応していません",
                "対応しているのはllama、mistral、qwen2、qwen3、gemma2、gemma3です。",
            ),
        },
        "gguf": {
            "en": (
                "it is no LoRA adapter in GGUF form ({detail})",
                "Give a GGUF whose general.type is 'adapter', or a folder that PEFT wrote.",
            ),
            "ja": (
                "GGUF形式のLoRAアダプターではありません({detail})",
                "general.typeが 'adapter' のGGUFか、PEFTが書き出したフォルダーを指定してください。",
            ),
        },
        "quantised": {
            "en": (
                "to merge it, the base must hold F16, BF16 or F32 weights, and this one holds {detail}",
                "Merge into the unquantised model, and quantise the result.",
            ),
            "ja": (
                "マージするにはベースモデルの重みがF16、BF16、F32のいずれかである必要がありますが、{detail}です",
                "量子化前のモデルにマージし、そのあとで量子化してください。",
            ),
        },
    }  # fmt: skip

    def text(self, lang: str) -> str:
        why, remedy = (part.format(detail=self.detail) for part in self.causes[self.cause][lang])
        return (self.ja if lang == "ja" else self.en).format(
            adapter=self.adapter, why=why, remedy=remedy
        )


@dataclass(eq=False)
class AdapterBaseMismatch(AdapterError):
    adapter: str
    base: str
    made_for: str  # as `'llama', attn_q 256 x 256`
    base_is: str
    en = (
        "Adapter '{adapter}' does not belong to '{base}'.\n"
        "It was trained for {made_for}; this base is {base_is}.\n"
        "Use exactly the model that it was trained on."
    )
    ja = (
        "アダプター '{adapter}' は '{base}' 用ではありません。\n"
        "学習時のベースモデルは {made_for}、これは {base_is} です。\n"
        "学習に使ったものと同じモデルを指定してください。"
    )


@dataclass(eq=False)
class AdapterIgnored(AdapterError):
    model: str
    route: str
    cause: str
    en = (
        "'{model}' would answer without its adapter: the server did not apply it by the route '{route}'.\n"
        "What it said or did: {cause}.\n"
        "Use the route 'merge'; it works on every server."
    )
    ja = (
        "'{model}' はアダプターなしで応答してしまいます。経路 '{route}' ではサーバーがアダプターを適用しませんでした。\n"
        "サーバーの応答や動作: {cause}\n"
        "経路 'merge' を使ってください。どのサーバーでも使えます。"
    )


@dataclass(eq=False)
class CheckpointRefused(AdapterError):
    folder: str
    cause: str  # a key of `causes`
    detail: str = ""
    en = "'{folder}' cannot be converted: {why}.\n{remedy}"
    ja = "'{folder}' は変換できません: {why}。\n{remedy}"
    # cause → language → (why, remedy); {detail} stands for what was found
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "missing": {
            "en": (
                "'{detail}' is not there",
                "Give the folder that save_pretrained() wrote, with model and tokenizer.",
            ),
            "ja": (
                "'{detail}' がありません",
                "save_pretrained() でモデルとトークナイザーを書き出したフォルダーを指定してください。",
            ),
        },
        "family": {
            "en": (
                "its model_type is '{detail}', not 'llama'",
                "Use llama.cpp's convert_hf_to_gguf.py for other families.",
            ),
            "ja": (
                "model_typeが '{detail}' です('llama' ではありません)",
                "ほかの系列のモデルにはllama.cppのconvert_hf_to_gguf.pyを使ってください。",
            ),
        },
        "option": {
            "en": (
                "its config sets {detail}, which this converter does not write",
                "Use llama.cpp's convert_hf_to_gguf.py.",
            ),
            "ja": (
                "設定の {detail} は、この変換では扱えません",
                "llama.cppのconvert_hf_to_gguf.pyを使ってください。",
            ),
        },
        "tokenizer": {
            "en": (
                "its tokenizer is {detail}, not byte-level BPE",
                "Use llama.cpp's convert_hf_to_gguf.py for other tokenizers.",
            ),
            "ja": (
                "トークナイザーが {detail} です(バイト単位のBPEではありません)",
                "ほかの方式のトークナイザーにはllama.cppのconvert_hf_to_gguf.pyを使ってください。",
            ),
        },
        "vocabulary": {
            "en": (
                "{detail}",
                "Model and tokenizer do not belong together: save both from the same training.",
            ),
            "ja": (
                "{detail}",
                "モデルとトークナイザーが対応していません。同じ学習で作ったものを保存してください。",
            ),
        },
        "tensor": {
            "en": (
                "the tensor '{detail}' is not there or cannot be read",
                "The checkpoint is incomplete: save it again.",
            ),
            "ja": (
                "テンソル '{detail}' がないか、読み取れません",
                "チェックポイントが不完全です。保存し直してください。",
            ),
        },
        "quant": {
            "en": (
                "llama.cpp's quantiser did not write it ({detail})",
                "Check the free disk space, and start from an F16 or F32 file.",
            ),
            "ja": (
                "llama.cppの量子化で書き出せませんでした({detail})",
                "ディスクの空きを確認し、F16またはF32のファイルから始めてください。",
            ),
        },
    }  # fmt: skip

    def text(self, lang: str) -> str:
        why, remedy = (part.format(detail=self.detail) for part in self.causes[self.cause][lang])
        return (self.ja if lang == "ja" else self.en).format(
            folder=self.folder, why=why, remedy=remedy
        )


@dataclass(eq=False)
class ExampleBroken(AdapterError):
    path: str
    line: int  # as an editor counts
    cause: str  # a key of `causes`
    detail: str = ""
    en = (
        "'{path}', line {line}: {why}.\n"
        'Expected is one example a line: {{"user": "a question", "assistant": "its answer"}}\n'
        "Nothing was trained. Mend that line and run the same again."
    )
    ja = (
        "'{path}' の{line}行目: {why}。\n"
        '1行に1例をこの形で書きます: {{"user": "質問", "assistant": "回答"}}\n'
        "学習は行っていません。この行を直して、もう一度実行してください。"
    )
    causes: ClassVar[dict[str, dict[str, str]]] = {
        "json": {
            "en": "this is not JSON ({detail})",
            "ja": "JSONとして読めません({detail})",
        },
        "object": {
            "en": "this is {detail}, not an object in braces",
            "ja": "{detail} です(波括弧のオブジェクトではありません)",
        },
        "key": {
            "en": "the key '{detail}' is missing",
            "ja": "キー '{detail}' がありません",
        },
        "unknown": {
            "en": "the key '{detail}' is not one of user, assistant, system",
            "ja": "キー '{detail}' は使えません(user、assistant、systemだけです)",
        },
        "text": {
            "en": "the value of '{detail}' must be text, and not empty",
            "ja": "'{detail}' の値は空でない文字列にしてください",
        },
        "encoding": {
            "en": "this is not UTF-8 ({detail})",
            "ja": "UTF-8ではありません({detail})",
        },
        "long": {
            "en": "this example is {detail} tokens long, which is too much for this model",
            "ja": "この例は{detail}トークンあり、このモデルには長すぎます",
        },
        "marker": {
            "en": "the text contains '{detail}', which marks turns in the template",
            "ja": "テンプレートの区切り記号 '{detail}' が含まれています",
        },
    }  # fmt: skip

    def text(self, lang: str) -> str:
        why = self.causes[self.cause][lang].format(detail=self.detail)
        return (self.ja if lang == "ja" else self.en).format(
            path=self.path, line=self.line, why=why
        )


@dataclass(eq=False)
class ExampleCountWrong(AdapterError):
    path: str
    found: int
    least: int
    most: int
    en = (
        "'{path}' has {found} examples; between {least} and {most} are needed.\n"
        "Fewer teach the wording by heart, more do not fit into a minute.\n"
        "Nothing was trained. Add or remove lines and run the same again."
    )
    ja = (
        "'{path}' の例は{found}件です。{least}〜{most}件にしてください。\n"
        "少なすぎると文面の丸暗記になり、多すぎると1分では学習しきれません。\n"
        "学習は行っていません。行を増減して、もう一度実行してください。"
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
            return {
                "advice": f"`{self.suggestion}` と書いてください。" if self.suggestion else stray
            }
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


class LabError(JimotoError):
    """Something about a lab or a folder of submissions."""


@dataclass(eq=False)
class LabMissing(LabError):
    lab: str
    near: str  # what is there
    en = (
        "There is no lab '{lab}' here.\n"
        "Labs that are here: {near}.\n"
        "Open the lab from the folder of the kit, where its checks lie in 'labs/checks'."
    )
    ja = (
        "演習 '{lab}' が見つかりません。\n"
        "ここにある演習: {near}\n"
        "キットのフォルダーの中で演習を開いてください(自動チェックは 'labs/checks' にあります)。"
    )


@dataclass(eq=False)
class LabNotOpen(LabError):
    en = (
        "No lab is open in this notebook.\n"
        "The first code cell opens it; it has not run since the kernel started.\n"
        "Run the first code cell, then this one again."
    )
    ja = (
        "このノートブックでは、まだ演習が開かれていません。\n"
        "カーネルの起動後に、最初のコードセルが実行されていないようです。\n"
        "最初のコードセルを実行してから、このセルをもう一度実行してください。"
    )


@dataclass(eq=False)
class TaskUnknown(LabError):
    task: str
    known: str
    en = (
        "This lab has no task '{task}'.\n"
        "Its tasks are: {known}.\n"
        "Write one of these names, in quotes."
    )
    ja = (
        "この演習に課題 '{task}' はありません。\n"
        "課題の名前: {known}\n"
        "このうちの一つを引用符で囲んで書いてください。"
    )


@dataclass(eq=False)
class SubmissionsMissing(LabError):
    folder: str
    en = (
        "There is no notebook to mark in '{folder}'.\n"
        "Every file that ends in '.ipynb', there and in the folders below it, is one submission.\n"
        "Put the submissions there: `jimoto grade FOLDER`."
    )
    ja = (
        "'{folder}' に採点するノートブックがありません。\n"
        "その中とその下のフォルダーにある '.ipynb' ファイルが、1件ずつの提出物になります。\n"
        "提出物を置いたフォルダーを指定してください: `jimoto grade フォルダー`"
    )


class CommandError(JimotoError):
    """A command line that failed: one sentence. `program` is the command that was typed."""

    program: str = "ollama"

    def text(self, lang: str) -> str:
        fields = {**vars(self), "program": self.program, **self.more(lang)}
        return (self.ja if lang == "ja" else self.en).format(**fields)

    def more(self, lang: str) -> dict[str, str]:
        """What the text names beside the fields."""
        near = getattr(self, "near", "")
        if not near:
            return {"meant": ""}
        return {
            "meant": f"。`{near}` のことですか" if lang == "ja" else f"; did you mean `{near}`?"
        }


@dataclass(eq=False)
class VerbUnknown(CommandError):
    verb: str
    near: str  # may be empty
    en = 'unknown command "{verb}" for "{program}"{meant}'
    ja = 'unknown command "{verb}" for "{program}": そのようなコマンドはありません{meant}'


@dataclass(eq=False)
class FlagUnknown(CommandError):
    flag: str
    near: str  # may be empty
    en = "unknown flag: {flag}{meant}"
    ja = "unknown flag: {flag}: そのようなオプションはありません{meant}"


@dataclass(eq=False)
class FlagValueWrong(CommandError):
    flag: str
    value: str
    wanted: str
    en = 'invalid value for {flag}: "{value}" (must be {wanted})'
    ja = 'invalid value for {flag}: "{value}": 使える値は {wanted} です'


@dataclass(eq=False)
class CallWrong(CommandError):
    ollama: str  # what Ollama says
    usage: str  # without the program
    en = "{ollama}; write `{program} {usage}`"
    ja = "{ollama}: `{program} {usage}` のように書いてください"


@dataclass(eq=False)
class InputNotUtf8(CommandError):
    what: str  # a file's name; empty for standard input
    position: int  # of the first byte that is wrong, from 0
    byte: int
    encoding: str  # as `iconv` spells it; empty when nothing fits
    en = "{name} is not UTF-8: byte {position} is 0x{byte:02X}{seems}; {advice}"
    ja = "{name}がUTF-8ではありません({position}バイト目が0x{byte:02X}){seems}。{advice}"

    def more(self, lang: str) -> dict[str, str]:
        known = {"CP932": "Shift_JIS (CP932)"}.get(self.encoding, self.encoding)
        source = self.encoding or "CP932"
        convert = f"iconv -f {source} -t UTF-8 {self.what}".strip()
        if lang == "ja":
            advice = f"`{convert}` で変換してください"
            if not self.what:
                advice = (
                    f"パイプの手前に `{convert}` を入れるか、PowerShellでは先に "
                    "`$OutputEncoding = [Text.Encoding]::UTF8` を実行してください"
                )
            seems = f"。{known} のようです" if known else ""
            return {"name": self.what or "標準入力", "seems": seems, "advice": advice}
        advice = f"convert it with `{convert}`"
        if not self.what:
            advice = (
                f"put `{convert}` before this command in the pipe; in PowerShell, run "
                "`$OutputEncoding = [Text.Encoding]::UTF8` first"
            )
        seems = f", as in {known}" if known else ""
        return {"name": self.what or "standard input", "seems": seems, "advice": advice}


@dataclass(eq=False)
class FileNotReadable(CommandError):
    path: str
    cause: str  # a key of `causes`
    en = "cannot read '{path}': {why}"
    ja = "'{path}' を読み込めません: {why}"
    causes: ClassVar[dict[str, dict[str, str]]] = {
        "missing": {
            "en": "there is no such file; name the Modelfile with `-f PATH`",
            "ja": "ファイルがありません。`-f パス` でModelfileを指定してください",
        },
        "stdin": {
            "en": "`-f -` does not mean standard input, here or in Ollama; write a file and name it",
            "ja": "`-f -` は標準入力を意味しません(Ollamaでも同じです)。ファイルに保存して指定してください",
        },
        "folder": {
            "en": "it is a folder; name the Modelfile in it with `-f PATH`",
            "ja": "フォルダーです。中にあるModelfileを `-f パス` で指定してください",
        },
        "denied": {
            "en": "the system does not allow it; check whose file it is",
            "ja": "アクセスが許可されていません。ファイルの所有者を確認してください",
        },
        "empty": {
            "en": "no Modelfile or safetensors files found in this folder",
            "ja": "このフォルダーにはモデルのファイル(safetensorsやGGUF)がありません",
        },
        "outside": {
            "en": "insecure path: a link in it leads out of the folder; copy the file into the folder",
            "ja": "フォルダーの外を指すリンクがあります。ファイル本体をフォルダーにコピーしてください",
        },
    }

    def more(self, lang: str) -> dict[str, str]:
        return {"why": self.causes[self.cause]["ja" if lang == "ja" else "en"]}


@dataclass(eq=False)
class ModelNotFound(CommandError):
    model: str
    near: str  # may be empty
    cause: str  # why it could not be pulled; may be empty
    en = "model '{model}' not found{pulled}{meant}"
    ja = "model '{model}' not found: モデルがありません{pulled}{meant}"

    def more(self, lang: str) -> dict[str, str]:
        return {**super().more(lang), "pulled": f" ({self.cause})" if self.cause else ""}


@dataclass(eq=False)
class NothingToStop(CommandError):
    model: str
    near: str  # may be empty
    en = 'couldn\'t find model "{model}" to stop{meant}'
    ja = 'couldn\'t find model "{model}" to stop: モデルがありません{meant}'


@dataclass(eq=False)
class NameIsPath(CommandError):
    name: str
    en = (
        "invalid model name: '{name}' is a path; write `FROM {name}` into a file 'Modelfile' and run "
        "`{program} create NAME`"
    )
    ja = (
        "invalid model name: '{name}' はモデル名ではなくパスです。ファイル 'Modelfile' に `FROM {name}` と書き、"
        "`{program} create モデル名` を実行してください"
    )


@dataclass(eq=False)
class AnswerCutOff(CommandError):
    model: str
    url: str
    en = (
        "'{model}': the server at {url} went away in the middle of the answer; what had arrived is "
        "printed, and the same command asks again"
    )
    ja = (
        "'{model}': 回答の途中でサーバー({url})との接続が切れました。届いた分は表示済みです。"
        "同じコマンドをもう一度実行してください"
    )


@dataclass(eq=False)
class ConnectionLost(CommandError):
    cause: str
    en = "the server does not answer ({cause}); run the same command again, or `{program} serve` in a second terminal"
    ja = "サーバーが応答しません({cause})。同じコマンドをもう一度実行するか、別のターミナルで `{program} serve` を実行してください"


@dataclass(eq=False)
class Refused(CommandError):
    """The server said no; its own words, and which model was asked."""

    model: str
    ollama: str
    en = "{named}{ollama}"
    ja = "{named}{ollama}"

    def more(self, lang: str) -> dict[str, str]:
        known = not self.model or self.model in self.ollama
        return {"named": "" if known else f"'{self.model}': "}


@dataclass(eq=False)
class DiskFull(CommandError):
    model: str
    ollama: str
    verb: str
    en = (
        "'{model}': {ollama}; nothing is lost: free some space, then `{program} {verb} {model}` goes "
        "on where it stopped"
    )
    ja = (
        "'{model}': {ollama}: ディスクの空きが足りません。届いた分は残っています。空きを作ってから "
        "`{program} {verb} {model}` を実行すると、続きから再開します"
    )


@dataclass(eq=False)
class ChatNeedsTerminal(CommandError):
    model: str
    en = 'a chat needs a terminal; here, put the question after the name: `{program} run {model} "…"`'
    ja = 'チャットにはターミナルが必要です。ここではモデル名の後に質問を書いてください: `{program} run {model} "…"`'


@dataclass(eq=False)
class PromptMissing(CommandError):
    model: str
    en = 'embedding models require input text: `{program} run {model} "your text"`'
    ja = '埋め込み用のモデルには入力文が必要です: `{program} run {model} "文章"`'


@dataclass(eq=False)
class VerbNotServed(CommandError):
    verb: str
    url: str
    en = "the server at {url} has no `{verb}` (404); Jimoto's embedded server only reads from registries: use real Ollama"
    ja = "サーバー({url})は `{verb}` に対応していません(404)。内蔵サーバーはレジストリから読むだけです。本物のOllamaを使ってください"


class StorageError(JimotoError):
    """Something about the folders that Jimoto writes to."""


@dataclass(eq=False)
class FolderNotWritable(StorageError):
    folder: str
    variable: str = "JIMOTO_HOME"  # which chooses another
    en = (
        "The folder '{folder}' cannot be written to.\n"
        "Set the variable {variable} to a folder of your own, then run the same command again."
    )
    ja = (
        "フォルダー '{folder}' に書き込めません。\n"
        "環境変数{variable}に書き込めるフォルダーを指定し、同じコマンドをもう一度実行してください。"
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


@dataclass(eq=False)
class FileIsThere(StorageError):
    path: str
    command: str
    en = (
        "There is a file '{path}' already, and Jimoto does not overwrite it.\n"
        "Remove it, choose another name, or run `{command}`."
    )
    ja = (
        "ファイル '{path}' はすでにあります。上書きはしません。\n"
        "削除するか、別の名前にするか、`{command}` を実行してください。"
    )


@dataclass(eq=False)
class FileNotWritten(StorageError):
    path: str
    cause: str  # a key of `causes`
    en = (
        "The file '{path}' could not be written: {why}.\n"
        "What had been written of it has been removed. {remedy}."
    )
    ja = (
        "ファイル '{path}' を書き込めませんでした: {why}\n"
        "途中まで書いた分は削除しました。{remedy}。"
    )
    # cause → language → (why, remedy)
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "space": {
            "en": ("there is not enough space", "Free some space, or choose another place"),
            "ja": ("空きが足りません", "空きを作るか、別の場所を指定してください"),
        },
        "large": {
            "en": (
                "this disk takes no file of that size (FAT32: 4 GB at most)",
                "Format the stick as exFAT, or save fewer models per file",
            ),
            "ja": (
                "このディスクの形式では大きすぎます(FAT32は4 GBまで)",
                "USBメモリをexFATで初期化するか、モデルを分けて保存してください",
            ),
        },
        "refused": {
            "en": ("the system does not allow it", "Choose a folder of your own"),
            "ja": ("書き込みが許可されていません", "自分のフォルダーを指定してください"),
        },
    }

    def text(self, lang: str) -> str:
        why, remedy = self.causes[self.cause]["ja" if lang == "ja" else "en"]
        return (self.ja if lang == "ja" else self.en).format(**vars(self), why=why, remedy=remedy)


@dataclass(eq=False)
class BundleBroken(StorageError):
    path: str
    part: str  # the name of the part inside the bundle; may be empty
    cause: str  # a key of `causes`
    en = (
        "The bundle '{path}' cannot be used: {why}{part_text}.\n"
        "Nothing was loaded from it.\n"
        "{remedy}."
    )
    ja = (
        "バンドル '{path}' は使えません: {why}{part_text}\n"
        "ここからは何も読み込んでいません。\n"
        "{remedy}。"
    )
    # cause → language → (why, remedy)
    causes: ClassVar[dict[str, dict[str, tuple[str, str]]]] = {
        "absent": {
            "en": ("it cannot be opened", "Check the name, and that the stick is plugged in"),
            "ja": ("開けません", "ファイル名と、USBメモリの接続を確認してください"),
        },
        "other": {
            "en": (
                "it is not a file that `jimoto bundle save` wrote",
                "Check the name, or save the bundle again",
            ),
            "ja": (
                "`jimoto bundle save` で作ったファイルではありません",
                "ファイル名を確認するか、バンドルを作り直してください",
            ),
        },
        "cut": {
            "en": (
                "it ends too early",
                "Copy the file once more, and remove the stick only when told",
            ),
            "ja": (
                "途中で切れています",
                "ファイルをコピーし直してください。USBメモリは安全な取り外しのあとで抜きます",
            ),
        },
        "changed": {
            "en": ("its bytes are not what its digest says", "Copy the file once more"),
            "ja": ("中身がダイジェストと一致しません", "ファイルをコピーし直してください"),
        },
        "foreign": {
            "en": (
                "it holds something that does not belong there",
                "Get the file from its maker again",
            ),
            "ja": ("あるはずのないものが入っています", "作成者からファイルをもらい直してください"),
        },
        "newer": {
            "en": ("a newer Jimoto wrote it", "Update Jimoto here: `git pull`, then `make lab`"),
            "ja": (
                "新しい版のJimotoで作られています",
                "Jimotoを更新してください: `git pull` のあとに `make lab`",
            ),
        },
    }

    def text(self, lang: str) -> str:
        why, remedy = self.causes[self.cause]["ja" if lang == "ja" else "en"]
        shown = f"(部分 '{self.part}')" if lang == "ja" else f" (part '{self.part}')"
        return (self.ja if lang == "ja" else self.en).format(
            path=self.path, why=why, remedy=remedy, part_text=shown if self.part else ""
        )


@dataclass(eq=False)
class ModelIncomplete(StorageError):
    model: str
    part: str
    en = (
        "Model '{model}' is not whole on this machine: '{part}' is missing or damaged.\n"
        "A pull was probably interrupted, or the disk has a fault.\n"
        "Run `ollama pull {model}` again (for mame: `jimoto.connect()` after `ollama rm mame`)."
    )
    ja = (
        "モデル '{model}' はこのコンピューターに完全な形でありません。'{part}' がないか、壊れています。\n"
        "pullが途中で止まったか、ディスクの異常のようです。\n"
        "もう一度 `ollama pull {model}` を実行してください(mameは `ollama rm mame` のあとに `jimoto.connect()`)。"
    )


@dataclass(eq=False)
class StoreOutOfReach(StorageError):
    url: str
    verb: str  # what was asked for: 'load', 'save' or 'mirror'
    en = (
        "The server at '{url}' keeps its models out of this program's reach.\n"
        "It runs on another computer, in a container, or as a user whose files are closed to you.\n"
        "Run the same command there{more_text}."
    )
    ja = (
        "'{url}' のサーバーのモデルは、このプログラムから届かない場所にあります。\n"
        "別のコンピューターやコンテナーの中か、読む権限のないユーザーで動いているようです。\n"
        "同じコマンドをそのコンピューターで実行してください{more_text}。"
    )

    def text(self, lang: str) -> str:
        if self.verb == "load":
            more = ""
        elif lang == "ja":
            more = "('manifests' と 'blobs' のあるフォルダーを `--models フォルダー` で指定することもできます)"
        else:
            more = ", or name the folder that holds 'manifests' and 'blobs': `--models FOLDER`"
        return (self.ja if lang == "ja" else self.en).format(url=self.url, more_text=more)


@dataclass(eq=False)
class ReportBroken(StorageError):
    path: str
    cause: str  # a key of `causes`
    en = (
        "'{path}' is not a report: {why}.\n"
        "Write it again on that machine: `jimoto doctor --json > seat-07.json`."
    )
    ja = (
        "'{path}' は診断結果のファイルではありません: {why}\n"
        "そのコンピューターで作り直してください: `jimoto doctor --json > seat-07.json`"
    )
    causes: ClassVar[dict[str, dict[str, str]]] = {
        "absent": {"en": "it cannot be read", "ja": "読み取れません"},
        "cut": {"en": "it is empty or cut short", "ja": "空か、途中で切れています"},
        "other": {
            "en": "it was not written by `jimoto doctor --json`",
            "ja": "`jimoto doctor --json` の出力ではありません",
        },
        "newer": {"en": "a newer Jimoto wrote it", "ja": "新しい版のJimotoで作られています"},
    }

    def text(self, lang: str) -> str:
        why = self.causes[self.cause]["ja" if lang == "ja" else "en"]
        return (self.ja if lang == "ja" else self.en).format(path=self.path, why=why)


@dataclass(eq=False)
class LessonUnknown(StorageError):
    lesson: str
    near: tuple[str, ...]
    here: tuple[str, ...]
    en = "There is no lesson '{lesson}'.\n{near_text}"
    ja = "'{lesson}' というレッスンはありません。\n{near_text}"

    def text(self, lang: str) -> str:
        names = ", ".join(f"'{name}'" for name in self.near or self.here)
        if lang == "ja":
            near = f"近い名前: {names}" if self.near else f"レッスン: {names}"
        else:
            near = f"Close to it: {names}." if self.near else f"There are: {names}."
        return (self.ja if lang == "ja" else self.en).format(lesson=self.lesson, near_text=near)
