"""Checks of lab 02: speeds, streams, shared files, and five failures.

The replies and streams were recorded from the embedded server: `python -m tools.record`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from jimoto.teaching.tasks import Judgement, Task, Wrong, both, near, right, same, shown, wrong

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "02_first_run.json").read_text(encoding="utf-8")
)
ABOUT = both(
    "Recorded {recorded}: model {model}, embedded server of Jimoto {version} (Ollama API {api}), "
    "{cores} virtual cores, {architecture}, other work running.".format(**RECORDED),
    "{recorded}に記録。モデルは{model}、サーバーはJimoto {version}の内蔵サーバー（Ollama API {api}）、"
    "仮想コア{cores}個、{architecture}、ほかの処理も実行中。".format(**RECORDED),
)

# --- q1: tokens per second -----------------------------------------------------------------------


def three_replies(rng: random.Random, lang: str) -> list[dict[str, Any]]:
    return [row["reply"] for row in rng.sample(RECORDED["replies"][lang], 3)]


def judge_speeds(replies: list[dict[str, Any]], speeds: Any) -> Judgement:
    """Which formula gives what the learner found, the same one for all three replies?"""
    speeds = list(speeds)
    expected = both(
        "a list of three numbers, tokens written per second, each within 2 %",
        "毎秒何トークン書いたかを表す数値3個のリスト（誤差はそれぞれ2 %以内）",
    )
    found = same(shown(speeds))
    if len(speeds) != len(replies):
        count = both(f"{len(speeds)} values: {found['en']}", f"{len(speeds)}個の値: {found['ja']}")
        return wrong("", count, expected)
    formulas = {
        None: lambda r: r["eval_count"] / r["eval_duration"] * 1e9,
        "reads-microseconds": lambda r: r["eval_count"] / r["eval_duration"] * 1e6,
        "reads-milliseconds": lambda r: r["eval_count"] / r["eval_duration"] * 1e3,
        "no-unit": lambda r: r["eval_count"] / r["eval_duration"],
        "prompt-counter": lambda r: r["prompt_eval_count"] / r["eval_duration"] * 1e9,
        "reading-speed": lambda r: r["prompt_eval_count"] / r["prompt_eval_duration"] * 1e9,
        "whole-time": lambda r: r["eval_count"] / r["total_duration"] * 1e9,
        "upside-down": lambda r: r["eval_duration"] / 1e9 / r["eval_count"],
    }
    for name, formula in formulas.items():
        if all(near(x, formula(r)) for x, r in zip(speeds, replies, strict=True)):
            return right(found) if name is None else wrong(name, found, expected)
    return wrong("", found, expected)


Q1 = Task(
    key="q1",
    title=both("tokens per second", "毎秒トークン数"),
    takes=("speeds",),
    make=three_replies,
    judge=judge_speeds,
    wrong=(
        Wrong(
            "reads-microseconds",
            both("nanoseconds read as microseconds", "ナノ秒をマイクロ秒と読んでいる"),
            both(
                "The numbers are a thousand times too small. Every duration of a reply is in "
                "nanoseconds; look at the cell after 'unit of total_duration' in the lesson.",
                "数値が千分の一になっています。応答の時間はすべてナノ秒です。"
                "レッスンで `total_duration` の単位を確かめたセルを見てください。",
            ),
        ),
        Wrong(
            "reads-milliseconds",
            both("nanoseconds read as milliseconds", "ナノ秒をミリ秒と読んでいる"),
            both(
                "The numbers are a million times too small. Every duration of a reply is in "
                "nanoseconds: one second has 1_000_000_000 of them.",
                "数値が百万分の一になっています。応答の時間はすべてナノ秒で、"
                "1秒は1_000_000_000ナノ秒です。",
            ),
        ),
        Wrong(
            "no-unit",
            both("nanoseconds left as they are", "ナノ秒のまま割っている"),
            both(
                "These are tokens per nanosecond. Turn the duration into seconds before you "
                "divide.",
                "これは1ナノ秒あたりのトークン数です。割る前に、時間を秒に直してください。",
            ),
        ),
        Wrong(
            "prompt-counter",
            both("tokens of the prompt counted", "プロンプトのトークン数を数えている"),
            both(
                "`prompt_eval_count` counts what the model read. The speed of writing needs the "
                "tokens that it wrote.",
                "`prompt_eval_count` はモデルが読んだトークン数です。"
                "書く速さには、書いたトークン数を使います。",
            ),
        ),
        Wrong(
            "reading-speed",
            both("reading measured instead of writing", "書く速さでなく読む速さを測っている"),
            both(
                "Both keys begin with prompt_: that is how fast the question was read (prefill). "
                "Writing has two keys of its own.",
                "どちらのキーも `prompt_` で始まっています。これは質問を読む速さ（プリフィル）です。"
                "書く速さには別のキーが二つあります。",
            ),
        ),
        Wrong(
            "whole-time",
            both("the whole waiting time taken", "全体の時間で割っている"),
            both(
                "`total_duration` also contains loading and reading. Comparisons of models quote "
                "the time of writing alone.",
                "`total_duration` には読み込みとプリフィルの時間も入っています。"
                "モデルの比較では、書く時間だけを使います。",
            ),
        ),
        Wrong(
            "upside-down",
            both("seconds per token", "1トークンあたりの秒数になっている"),
            both(
                "The fraction stands on its head: these are seconds for one token.",
                "分数が逆で、1トークンにかかった秒数になっています。",
            ),
        ),
    ),
    hints=(
        both(
            "Which two keys of a reply begin with `eval_`? The cell above prints them all.",
            "応答のキーのうち、`eval_` で始まる二つはどれでしょうか。上のセルに全部表示されています。",
        ),
        both(
            "speed = count / seconds, and 1 s = 1_000_000_000 ns.",
            "速さ = 個数 ÷ 秒数、1秒 = 1_000_000_000ナノ秒です。",
        ),
        both(
            'For one reply: reply["eval_count"] / (reply["eval_duration"] / ____), because the '
            "duration is in nanoseconds.",
            '一つの応答なら reply["eval_count"] / (reply["eval_duration"] / ____) です。'
            "時間がナノ秒だからです。",
        ),
    ),
)

# --- q2: a stream --------------------------------------------------------------------------------


def one_stream(rng: random.Random, lang: str) -> list[str]:
    return list(rng.choice(RECORDED["replies"][lang])["lines"])


def judge_stream(lines: list[str], text: Any, count: Any) -> Judgement:
    chunks = [json.loads(line) for line in lines]
    pieces = [chunk["response"] for chunk in chunks]
    saw = both(
        f"text {shown(text)}, count {shown(count)}", f"text {shown(text)}、count {shown(count)}"
    )
    expected = both(
        "text: every piece, in order, nothing between; count: the lines that arrived",
        "textは全部の断片を順番どおり、間に何も入れずにつないだもの、countは届いた行数",
    )
    if text == "".join(pieces):
        if count == len(lines) and not isinstance(count, bool):
            return right(saw)
        name = {chunks[-1]["eval_count"]: "counts-tokens", len(lines) - 1: "skips-last-line"}
        return wrong(name.get(count, "") if isinstance(count, int) else "", saw, expected)
    if text in (pieces[-1], pieces[-2]):
        return wrong("last-chunk-only", saw, expected)
    if text == pieces[0]:
        return wrong("first-chunk-only", saw, expected)
    if text in {gap.join(pieces) for gap in (" ", "\n")}:
        return wrong("adds-gaps", saw, expected)
    if text == "".join(lines):
        return wrong("joins-raw-lines", saw, expected)
    return wrong("", saw, expected)


Q2 = Task(
    key="q2",
    title=both("put a stream together", "ストリームをつなぐ"),
    takes=("text", "count"),
    make=one_stream,
    judge=judge_stream,
    wrong=(
        Wrong(
            "last-chunk-only",
            both("only the last piece kept", "最後の断片だけが残っている"),
            both(
                "Each round of the loop replaced the text. A chunk holds the next few letters, "
                "not all letters so far.",
                "ループのたびにtextが置き換わっています。チャンクに入っているのは続きの数文字で、"
                "それまでの全文ではありません。",
            ),
        ),
        Wrong(
            "first-chunk-only",
            both("only the first piece kept", "最初の断片だけが残っている"),
            both(
                "The loop ended after one line. The answer is spread over all of them.",
                "1行で終わっています。回答はすべての行に分かれています。",
            ),
        ),
        Wrong(
            "adds-gaps",
            both("something put between the pieces", "断片の間に余分な文字が入っている"),
            both(
                "A piece brings its own spaces. A token is not a word: join with nothing between.",
                "空白は断片の中に入っています。トークンは単語ではないので、間に何も入れずにつなぎます。",
            ),
        ),
        Wrong(
            "joins-raw-lines",
            both("JSON lines joined unread", "JSONを読まずに行をつないでいる"),
            both(
                "Each line is a JSON object. Read it first, then take one of its keys.",
                "各行はJSONオブジェクトです。まず読み取り、そこからキーを一つ取り出します。",
            ),
        ),
        Wrong(
            "counts-tokens",
            both("tokens counted instead of lines", "行ではなくトークンを数えている"),
            both(
                "The text is right. `eval_count` is the number of tokens: a line may carry more "
                "than one, and one token ends the answer without a letter.",
                "textは正解です。`eval_count` はトークン数です。1行に2個以上入ることもあり、"
                "最後の1個は文字を持たない終わりの印です。",
            ),
        ),
        Wrong(
            "skips-last-line",
            both("the last line not counted", "最後の行を数えていない"),
            both(
                "The text is right. The line with the counters arrived, too.",
                "textは正解です。カウンターの入った最後の行も、届いた行の一つです。",
            ),
        ),
    ),
    hints=(
        both(
            "What is in line 1, and what is in the last one? The cell above shows both.",
            "1行目と最後の行には何が入っているでしょうか。上のセルに両方あります。",
        ),
        both(
            "Begin with an empty text; in each round, read the line and add one key of it. The "
            "lines are a list: how long is it?",
            "空のtextから始め、1行読むたびにキー一つの中身を足します。linesはリストです。長さは？",
        ),
        both(
            'text += json.loads(line)["____"], the key that carries the letters; count = '
            "len(lines).",
            'text += json.loads(line)["____"] です（文字が入っているキー）。count = len(lines)',
        ),
    ),
)

# --- q3: disk ------------------------------------------------------------------------------------

Step = tuple[str, ...]  # ("cp", from, to) or ("rm", name)


def make_shop(rng: random.Random, lang: str) -> dict[str, Any]:
    """Blobs with sizes, names with their blobs, and six steps that end with both models in use."""
    settings, system = rng.randrange(300, 500), rng.randrange(600, 1800)
    blobs = {"weights": RECORDED["model_bytes"], "settings": settings, "clerk_system": system}
    names = {"mame": ["weights", "settings"], "clerk": ["weights", "settings", "clerk_system"]}
    steps: list[Step] = [("cp", "mame", "copy"), ("cp", "clerk", "desk")]
    middle: list[Step] = [("rm", "mame"), ("rm", "clerk")]
    rng.shuffle(middle)
    last: list[Step] = [("rm", "desk"), ("rm", "copy")]
    rng.shuffle(last)
    return {"blobs": blobs, "names": names, "steps": [*steps, *middle, *last]}


def replay(shop: dict[str, Any], rule: str = "") -> list[int]:
    """Bytes after each step; with `rule`, as somebody with that misconception would say."""
    blobs, names = shop["blobs"], {name: list(parts) for name, parts in shop["names"].items()}
    used, total = [], sum(blobs[b] for b in {b for parts in names.values() for b in parts})
    for verb, name, *target in shop["steps"]:
        if verb == "cp":
            names[target[0]] = names[name]
        else:
            gone = names.pop(name)
            total -= sum(blobs[b] for b in gone)
        kept = [b for parts in names.values() for b in parts]
        if rule == "counts-copies":
            used.append(sum(blobs[b] for b in kept))
        elif rule == "frees-at-once":
            used.append(max(0, total))
        elif rule == "weights-only":
            used.append(blobs["weights"] if "weights" in kept else 0)
        else:
            used.append(sum(blobs[b] for b in set(kept)))
    return used


def judge_disk(shop: dict[str, Any], used: Any) -> Judgement:
    used = list(used)
    saw = same(shown(used))
    expected = both(
        f"{len(shop['steps'])} whole numbers: bytes in the folder after each step, exact",
        f"整数{len(shop['steps'])}個（各段階の後のフォルダーのバイト数、誤差なし）",
    )
    if used == replay(shop):
        return right(saw)
    for name in ("counts-copies", "frees-at-once", "weights-only"):
        if used == replay(shop, name):
            return wrong(name, saw, expected)
    return wrong("", saw, expected)


Q3 = Task(
    key="q3",
    title=both("disk after copies and removals", "コピーと削除の後のディスク"),
    takes=("used",),
    make=make_shop,
    judge=judge_disk,
    wrong=(
        Wrong(
            "counts-copies",
            both("a shared file counted once per name", "共有ファイルを名前の数だけ数えている"),
            both(
                "Two names may point to the same file, and it lies on the disk once. Look at the "
                "surprise of the lesson: the copy added 0 MB.",
                "二つの名前が同じファイルを指すことがあり、ディスクには一つしかありません。"
                "レッスンではコピーで0 MBしか増えませんでした。",
            ),
        ),
        Wrong(
            "frees-at-once",
            both(
                "a file freed although a name is left", "名前が残っているのに空いたことにしている"
            ),
            both(
                "Removing a name removes a label. A file goes when no name points to it any more.",
                "名前の削除では、ラベルが1枚はがれます。"
                "ファイルが消えるのは、指す名前が一つもなくなったときです。",
            ),
        ),
        Wrong(
            "weights-only",
            both("the small files forgotten", "小さいファイルを忘れている"),
            both(
                "The weights are right. Settings and the system text are files of their own.",
                "重みは合っています。設定とシステムプロンプトも、それぞれ別のファイルです。",
            ),
        ),
    ),
    hints=(
        both(
            "Which files do `mame` and `clerk` share? Print `names`.",
            "`mame` と `clerk` が共有しているファイルはどれでしょうか。`names` を表示してください。",
        ),
        both(
            "After each step, make one set of all files that still have a name, and add up their "
            "sizes.",
            "段階ごとに、名前が残っているファイル全体の集合を一つ作り、大きさを合計します。",
        ),
        both(
            "kept = {blob for parts in names.values() for blob in parts}; then "
            "sum(____[blob] for blob in kept).",
            "kept = {blob for parts in names.values() for blob in parts} とし、"
            "sum(____[blob] for blob in kept) で合計します。",
        ),
    ),
)

# --- q4: five failures ---------------------------------------------------------------------------

# symptom → (cause, fix); the first four are from lesson 02's own cells
FAILURES = {
    "404 model 'mamee' not found": ("name", "list"),
    "Failed to connect to Ollama. (connection refused)": ("server", "connect"),
    "/bin/sh: 1: url: not found (exit status 127)": ("program", "curl"),
    '{"response": "", "done_reason": "load"} (status 200)': ("prompt", "ask"),
    "<html>502 Bad Gateway: proxy.example</html>": ("proxy", "no_proxy"),
}


def make_failures(rng: random.Random, lang: str) -> dict[str, str]:
    symptoms = list(FAILURES)
    rng.shuffle(symptoms)
    return dict(zip("abcde", symptoms, strict=True))


# (the real cause, what it is taken for, the misconception), the most telling first
CONFUSIONS = (
    ("name", ("server", "proxy"), "404-means-down"),
    ("server", ("name",), "refused-means-name"),
    ("prompt", ("server", "name"), "empty-means-broken"),
    ("program", ("server", "name"), "shell-means-server"),
    ("proxy", ("server", "name"), "proxy-means-server"),
)


def judge_failures(failures: dict[str, str], diagnosis: Any) -> Judgement:
    wanted = {letter: FAILURES[symptom] for letter, symptom in failures.items()}
    given = {letter: tuple(diagnosis.get(letter, ())) for letter in failures}
    right_ones = [letter for letter in failures if given[letter] == wanted[letter]]
    saw = both(f"{len(right_ones)} of 5 right", f"5件中{len(right_ones)}件が正解")
    expected = both(
        'a cause and a fix for each letter, such as "a": ("server", "connect")',
        '文字ごとに原因と対処の組（たとえば "a": ("server", "connect")）',
    )
    if len(right_ones) == len(failures):
        return right(saw)
    for real, taken_for, name in CONFUSIONS:
        letter = next(letter for letter, want in wanted.items() if want[0] == real)
        if given[letter] and given[letter][0] in taken_for:
            place = both(
                f"{saw['en']}; {letter} is {given[letter]}",
                f"{saw['ja']}。{letter} は {given[letter]}",
            )
            return wrong(name, place, expected)
    return wrong("", saw, expected)


Q4 = Task(
    key="q4",
    title=both("five failures", "五つの失敗"),
    takes=("diagnosis",),
    make=make_failures,
    judge=judge_failures,
    wrong=(
        Wrong(
            "404-means-down",
            both("404 taken for a server that is down", "404をサーバーの停止と考えている"),
            both(
                "Who wrote the 404? A server that is down answers nothing, so this one is up: the "
                "name is wrong.",
                "404を返したのは誰でしょうか。止まったサーバーは何も返せないので、"
                "サーバーは動いていて、名前が違います。",
            ),
        ),
        Wrong(
            "refused-means-name",
            both("a refused connection blamed on the model", "接続拒否をモデル名のせいにしている"),
            both(
                "Nobody answered, so nobody has looked at the name yet. Look at the address.",
                "誰も返事をしていないので、モデル名はまだ調べられていません。アドレスを確かめます。",
            ),
        ),
        Wrong(
            "empty-means-broken",
            both("an empty answer taken for a failure", "空の回答を故障と考えている"),
            both(
                'Status 200 and "load": the server did what it was asked, and it was asked nothing.',
                "ステータスは200、理由は「load」です。"
                "サーバーは頼まれたとおりに動きました。質問が空だったのです。",
            ),
        ),
        Wrong(
            "shell-means-server",
            both(
                "a message of the shell blamed on the server",
                "シェルのエラーをサーバーのせいにしている",
            ),
            both(
                "The line begins with /bin/sh: the request never left the shell.",
                "行が /bin/sh で始まっています。リクエストはシェルの外に出ていません。",
            ),
        ),
        Wrong(
            "proxy-means-server",
            both(
                "a page of the proxy blamed on the server",
                "プロキシの返事をサーバーのせいにしている",
            ),
            both(
                "Ollama speaks JSON. A page of HTML comes from something in between.",
                "Ollamaの返事はJSONです。HTMLのページは、途中にある別のものが返しています。",
            ),
        ),
    ),
    hints=(
        both(
            "For each line ask first: who answered at all, the shell, a server, something between, "
            "or nobody?",
            "まず行ごとに考えます。返事をしたのは誰でしょうか。シェル、サーバー、途中の何か、"
            "それとも誰もいないでしょうか。",
        ),
        both(
            "The table at 'Common errors' in the lesson has symptom, cause and fix side by side.",
            "レッスンの「わざと起こすエラー」の表に、症状、原因、対処が並んでいます。",
        ),
        both(
            'Four pairs are ("name", "list"), ("program", "curl"), ("proxy", "no_proxy"), '
            '("prompt", "ask"). The one where nobody answered is ("server", ____).',
            '四つの組は ("name", "list")、("program", "curl")、("proxy", "no_proxy")、'
            '("prompt", "ask") です。誰も返事をしなかったものは ("server", ____) です。',
        ),
    ),
)

TASKS = (Q1, Q2, Q3, Q4)
