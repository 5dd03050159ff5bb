"""What `--help` says about each verb and flag, in both languages side by side. Nothing but text."""

from __future__ import annotations

from jimoto.errors import language

HEADINGS = {
    "en": {
        "usage": "Usage",
        "verb": "COMMAND [ARGS]...",
        "verbs": "Commands",
        "flags": "Flags",
        "value": "VALUE",
        "more": "`{program} COMMAND --help` tells more about one command.",
    },
    "ja": {
        "usage": "使い方",
        "verb": "コマンド [引数]...",
        "verbs": "コマンド",
        "flags": "オプション",
        "value": "値",
        "more": "コマンドごとの説明は `{program} コマンド --help` で表示されます。",
    },
}

# A flag that means the same everywhere stands once, without its verb. (English, Japanese)
HELP: dict[str, tuple[str, str]] = {
    "jimoto": (
        "Local LLMs on this machine: the lessons, and ollama's verbs.",
        "このコンピューターで動くローカルLLM。レッスンと、ollamaと同じコマンドがあります。",
    ),
    "ollama": (
        "Jimoto's stand-in for `ollama`, which is not installed here.",
        "ここには `ollama` がないため、Jimotoの代替コマンドが答えます。",
    ),
    "--help": ("Show this help", "この説明を表示する"),
    "--version": ("Show the version", "バージョンを表示する"),
    "--insecure": (
        "Use http, and a registry on this machine",
        "httpや、このコンピューターのレジストリを許可する",
    ),
    "--json": ("Print JSON", "JSONで出力する"),
    "serve": (
        "Start the server in this terminal (OLLAMA_HOST says where)",
        "このターミナルでサーバーを起動する(場所はOLLAMA_HOSTで指定)",
    ),
    "create": ("Create a model from a Modelfile", "Modelfileからモデルを作成する"),
    "create --file": (
        "The Modelfile (default: 'Modelfile' in this folder)",
        "Modelfileのパス(既定値は、このフォルダーの 'Modelfile')",
    ),
    "create --quantize": (
        "Quantise the weights, for example Q4_K_M",
        "重みを量子化する(例: Q4_K_M)",
    ),
    "create --draft-quantize": (
        "Quantise the draft model's weights",
        "ドラフトモデルの重みを量子化する",
    ),
    "show": ("Show what is known about a model", "モデルの情報を表示する"),
    "show --license": ("Show its licence alone", "ライセンスだけを表示する"),
    "show --modelfile": ("Show its Modelfile alone", "Modelfileだけを表示する"),
    "show --parameters": ("Show its parameters alone", "パラメータだけを表示する"),
    "show --system": ("Show its system prompt alone", "システムプロンプトだけを表示する"),
    "show --template": ("Show its template alone", "テンプレートだけを表示する"),
    "show --verbose": ("Show its metadata and tensors, too", "メタデータとテンソルも表示する"),
    "run": (
        "Ask a model: with words, standard input, or both; with neither, chat in a terminal",
        "モデルに質問する(引数、標準入力、または両方)。どちらもなければターミナルでチャットする",
    ),
    "run --format": (
        "json, or a JSON schema that the answer must follow",
        "json、または回答が従うJSON Schema",
    ),
    "run --keepalive": (
        "How long the model stays loaded, for example 5m",
        "モデルの保持時間(例: 5m)",
    ),
    "run --think": (
        "Think before the answer: true, false, low, medium, high or max; alone it means true",
        "回答の前に思考させる: true、false、low、medium、high、max(値を省くとtrue)",
    ),
    "run --hidethinking": ("Do not print the thinking", "思考過程を表示しない"),
    "run --verbose": (
        "Print counts and durations to stderr",
        "トークン数と時間を標準エラーに表示する",
    ),
    "run --nowordwrap": (
        "Let words break at the edge of the terminal",
        "端末の右端で単語の途中でも折り返す",
    ),
    "run --truncate": (
        "Embedding models: cut an input that is too long",
        "埋め込み: 長すぎる入力を切り詰める",
    ),
    "run --dimensions": ("Embedding models: how many numbers", "埋め込み: ベクトルの次元数"),
    "stop": ("Unload a model", "モデルを解放する"),
    "pull": ("Download a model from a registry", "レジストリからモデルをダウンロードする"),
    "push": ("Upload a model to a registry", "レジストリにモデルをアップロードする"),
    "list": ("List the models that are here", "このコンピューターにあるモデルを一覧する"),
    "ps": ("List the models that are loaded", "読み込まれているモデルを一覧する"),
    "cp": ("Give a model a second name", "モデルに別の名前を付ける"),
    "rm": (
        "Remove models; files that another name still needs stay",
        "モデルを削除する(別の名前が使うファイルは残る)",
    ),
    "lab": (
        "Open a lesson in JupyterLab, as a copy of your own, once a model answers",
        "モデルが応答することを確かめ、レッスンの作業用コピーをJupyterLabで開く",
    ),
    "lab --fresh": (
        "Put a clean copy of the lesson beside the old one",
        "今のコピーの隣に、レッスンの新しいコピーを置く",
    ),
    "lab --no-browser": (
        "Print the address, open no browser",
        "ブラウザーを開かず、アドレスを表示する",
    ),
    "lab --port": (
        "Default: the first free one from 8888",
        "ポート番号(既定値は8888以降で最初の空き)",
    ),
    "lab --lang": ("en or ja (default: the system's language)", "enかja(既定値はシステムの言語)"),
    "doctor": (
        "Look whether this computer is ready for the lessons; changes nothing",
        "このコンピューターの準備状況を診断する(何も変更しない)",
    ),
    "doctor --merge": (
        "Put reports (made with --json) into one table for the room",
        "診断結果のファイル(--jsonの出力)を教室全体の表にまとめる",
    ),
    "doctor --online": ("Try the network, too", "ネットワークも確認する"),
    "doctor --out": ("The table's file (default: room.html)", "表のファイル名(既定値はroom.html)"),
    "bundle": (
        "Models in one file: save it here, load it on another computer",
        "モデルを1個のファイルにまとめ、別のコンピューターで読み込む",
    ),
    "bundle save": (
        "Write models (all, where none is named) to one file",
        "モデルを1個のファイルに書き出す(指定がなければすべて)",
    ),
    "bundle load": (
        "Verify a bundle, then put its models into this computer's server",
        "バンドルを検証し、モデルをこのコンピューターのサーバーに入れる",
    ),
    "bundle check": ("Verify a bundle, and say what it holds", "バンドルを検証し、内容を表示する"),
    "bundle save --replace": ("Replace the file if it is there", "ファイルがあれば置き換える"),
    "bundle load --replace": (
        "Replace models of the same name that are there",
        "同じ名前のモデルがあれば置き換える",
    ),
    "bundle save --models": (
        "The folder that holds 'manifests' and 'blobs' (default: the server's)",
        "'manifests' と 'blobs' のあるフォルダー(既定値はサーバーのもの)",
    ),
    "mirror": (
        "Serve models to others, read-only; to this computer alone unless told otherwise",
        "モデルを読み取り専用で配る(指定しないかぎり、このコンピューターの中だけ)",
    ),
    "mirror --room": (
        "Serve everybody who can reach this computer; no password is asked",
        "届く範囲の全員に配る(パスワードなし)",
    ),
    "mirror --host": (
        "The address to listen at (default: 127.0.0.1, this computer alone)",
        "待ち受けるアドレス(既定値は127.0.0.1で、このコンピューターの中だけ)",
    ),
    "mirror --port": (
        "Default: 11435; 0 means any free one",
        "ポート番号(既定値は11435、0なら空いている番号)",
    ),
    "mirror --machines": (
        "For how many to compute the time (default: 30)",
        "時間を計算する台数(既定値は30)",
    ),
    "mirror --models": (
        "The folder that holds 'manifests' and 'blobs' (default: the server's)",
        "'manifests' と 'blobs' のあるフォルダー(既定値はサーバーのもの)",
    ),
    "mirror --mbps": (
        "Compute with this rate in Mbit/s instead of measuring",
        "実測の代わりに、この速さ(Mbit/s)で計算する",
    ),
    "grade": (
        "Mark a folder of labs, each in a process of its own, without a network",
        "演習のフォルダーを採点する(1件ずつ別のプロセスで、ネットワークなし)",
    ),
    "grade --out": (
        "Where grades.csv and grades.html go (default: the folder itself)",
        "grades.csvとgrades.htmlの書き出し先(既定値は同じフォルダー)",
    ),
    "grade --otter": (
        "Mark nothing: write otter-grader's test files of this lab into the folder",
        "採点はせず、この演習のotter-grader用テストをフォルダーに書き出す",
    ),
    "fit": (
        "Predict memory and speed of models on this machine or another, and whether they fit",
        "モデルのメモリと速さを予測し、収まるかどうかを判定する",
    ),
    "fit --for": ('Another machine, such as "8 GB laptop"', '別のマシン(例: "8 GB laptop")'),
    "fit --quant": ("Quantisation (default: the library's)", "量子化(既定値はライブラリのもの)"),
    "fit --context": ("Context length in tokens", "コンテキスト長(トークン数)"),
    "fit --kv": ("Type of the KV cache: F16, Q8_0, Q4_0", "KVキャッシュの型: F16、Q8_0、Q4_0"),
    "fit --parallel": ("Requests at once", "同時に処理するリクエスト数"),
    "fit --measure": ("Measure this machine's memory again", "このマシンのメモリを測り直す"),
    "trial": (
        "Try a model without its weights: a file of its shape, loaded and measured here",
        "重みなしでモデルを試す(同じ形のファイルを読み込んで測る)",
    ),
    "trial --quant": ("Quantisation (default: the library's)", "量子化(既定値はライブラリのもの)"),
    "trial --context": ("Context length in tokens", "コンテキスト長(トークン数)"),
    "trial --tokens": ("Tokens to write", "書かせるトークン数"),
    "trial --threads": ("Default: all cores", "スレッド数(既定値は全コア)"),
    "trial --folder": ("Where the file is written", "ファイルを書き込むフォルダー"),
}
ALIASES = {"ls": "list", "start": "serve"}


def help_text(key: str) -> str:
    """The text of a verb, of a flag of a verb, or of a flag everywhere; empty if there is none.

    >>> help_text("no such verb")
    ''
    """
    verb, _, flag = key.partition(" ")
    key = f"{ALIASES.get(verb, verb)} {flag}".strip()
    pair = HELP.get(key) or HELP.get(flag or key)
    return pair[language() == "ja"] if pair else ""
