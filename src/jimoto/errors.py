"""The errors that a learner may meet, each with what happened, why, and what to do.

JimotoError
├── SetupError        the environment is not complete
│   ├── PythonTooOld, VenvUnavailable, VenvNotWritable, CompilerMissing, GpuPackagesRefused,
│   └── CacheNotWritable, InstallFailed, PackageMissing
├── ServerError       between this process and a server
│   ├── PortTaken, ServerDidNotStart, ServerNotRunning
├── ModelError        about a model or its file
│   ├── ModelMissing, ModelFileBroken
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
