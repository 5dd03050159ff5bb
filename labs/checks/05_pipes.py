"""Checks of lab 05: a pipe that reports failure, a stage that is named, a validator, a retry.

Task 1 runs the learner's script in bash, with three stages that are functions of the shell.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from typing import Any

from jimoto.teaching.tasks import (
    Judgement,
    Task,
    Wrong,
    both,
    call,
    near,
    right,
    shown,
    wrong,
)

# --- q1: a pipe in bash --------------------------------------------------------------------------

STAGES = """
planner() { echo "1. book the room"; }
solver() { while IFS= read -r line; do echo "solved: $line"; done; }
translator() { while IFS= read -r line; do echo "English: $line"; done; }
"""
BROKEN = "solver() { echo \"Error: model 'no_such' not found\" >&2; return 1; }\n"
WANTED = "English: solved: 1. book the room"


def run_bash(script: str, more: str = "") -> tuple[int, str]:
    """Exit status and output; `more` is put after the stages."""
    done = subprocess.run(
        ["bash", "-c", STAGES + more + script],
        capture_output=True,
        encoding="utf-8",
        timeout=10,
    )
    return done.returncode, done.stdout.strip()


def judge_script(data: Any, script: Any) -> Judgement:
    lines = [line.split("#")[0].strip() for line in str(script).splitlines()]
    pipe_at = next((i for i, line in enumerate(lines) if re.search(r"(?<!\|)\|(?!\|)", line)), -1)
    set_at = next((i for i, line in enumerate(lines) if "pipefail" in line), -1)
    expected = both(
        f"with all stages: status 0 and '{WANTED}'; with a broken stage: a status that is not 0",
        f"全ステージが動けば終了ステータス0と '{WANTED}'、壊れたステージがあれば0以外",
    )
    if shutil.which("bash"):
        healthy, broken = run_bash(script), run_bash(script, BROKEN)
    else:  # Windows without bash: read the lines instead
        good = pipe_at >= 0 and re.search(r"planner\s*\|\s*solver\s*\|\s*translator", str(script))
        healthy = (0, WANTED if good else "")
        broken = (1 if 0 <= set_at < pipe_at else 0, "")
    saw = both(
        f"status {healthy[0]} and '{healthy[1]}'; broken: status {broken[0]}",
        f"終了ステータス{healthy[0]}と '{healthy[1]}'、壊れた場合は{broken[0]}",
    )
    if healthy == (0, WANTED) and broken[0] != 0:
        return right(saw)
    if healthy[1] and healthy[1] != WANTED and broken[0] != 0:
        return wrong("stages-swapped", saw, expected)
    if 0 <= pipe_at < set_at:
        return wrong("pipefail-too-late", saw, expected)
    if set_at < 0 and any(re.match(r"set\s+-(e|o\s+errexit)", line) for line in lines):
        return wrong("errexit-alone", saw, expected)
    if set_at < 0 and healthy == (0, WANTED):
        return wrong("last-stage-decides", saw, expected)
    return wrong("", saw, expected)


Q1 = Task(
    key="q1",
    title=both("a pipe that reports a broken stage", "壊れたステージを知らせるパイプ"),
    takes=("script",),
    judge=judge_script,
    wrong=(
        Wrong(
            "pipefail-too-late",
            both("pipefail set after the pipe", "パイプの後でpipefailを設定している"),
            both(
                "The setting holds for pipes that start after it. Here the pipe is over already, "
                "and the status is that of `set`.",
                "この設定が効くのは、その後に始まるパイプです。ここではパイプがもう終わっていて、"
                "終了ステータスは `set` のものになります。",
            ),
        ),
        Wrong(
            "errexit-alone",
            both("set -e taken for pipefail", "set -eで足りると考えている"),
            both(
                "`set -e` ends a script when a command fails. A pipe counts as one command, and "
                "its status is still that of the last stage.",
                "`set -e` は、コマンドが失敗するとスクリプトを終える設定です。パイプは全体で一つの"
                "コマンドで、終了ステータスは最後のステージのもののままです。",
            ),
        ),
        Wrong(
            "last-stage-decides",
            both("the status of the last stage", "最後のステージの終了ステータスになっている"),
            both(
                "The last stage did its work, on nothing. Without a setting, bash asks no other "
                "stage. See the surprise of lesson 05.",
                "最後のステージは、空の入力に対して正常に働きました。設定がなければ、bashは途中の"
                "ステージを見ません。レッスン05の「意外な結果」を見てください。",
            ),
        ),
        Wrong(
            "stages-swapped",
            both("the stages in another order", "ステージの順番が違う"),
            both(
                "Text flows from left to right: what is planned first is solved, then translated.",
                "文章は左から右へ流れます。計画し、実行し、最後に翻訳します。",
            ),
        ),
    ),
    hints=(
        both(
            "Lesson 05, the pipe with a dead middle: which setting changed its status from 0 to 1?",
            "レッスン05の、真ん中が壊れたパイプを見てください。終了ステータスを0から1に変えた設定は？",
        ),
        both(
            "The first blank is one word after `set -o`, the second is the name of a stage.",
            "一つ目の空欄は `set -o` に続く1語、二つ目はステージの名前です。",
        ),
        both(
            "set -o pipefail, on a line before the pipe; then planner | ____ | translator.",
            "パイプより前の行に set -o pipefail、続けて planner | ____ | translator です。",
        ),
    ),
)

# --- q2: name the stage --------------------------------------------------------------------------

NAMES = ("planner", "solver", "translator")


def stages(dead: str = "", gives: str = "") -> list[tuple[str, Any]]:
    """Three stages as (name, function); the dead one gives an empty text."""
    return [(n, (lambda t: gives) if n == dead else (lambda t, n=n: f"{t} {n}")) for n in NAMES]


def judge_pipe(data: Any, pipe: Any) -> Judgement:
    expected = both(
        "a ValueError that names the stage whose text was empty; else the last text",
        "空の文章を返したステージの名前を含むValueError。空がなければ最後の文章",
    )
    for dead, gives in (("planner", ""), ("solver", "  \n"), ("translator", "")):
        try:
            got = call(pipe, stages(dead, gives), "task")
        except ValueError as error:
            said = str(error)
            named = [name for name in NAMES if name in said]
            if named == [dead]:
                continue
            saw = both(
                f"{dead} is empty, the error says {said!r}", f"空なのは{dead}、エラーは {said!r}"
            )
            is_last = named == ["translator"]
            return wrong("names-last-stage" if is_last else "names-no-stage", saw, expected)
        saw = both(
            f"{dead} is empty, pipe() gives {shown(got)}", f"空なのは{dead}、pipe()は {shown(got)}"
        )
        is_text = isinstance(got, str)
        return wrong("returns-empty" if is_text else "", saw, expected)
    try:
        got = call(pipe, stages(), "task")
    except ValueError as error:
        saw = both(f"all stages work, and: {error}", f"全ステージが正常なのに: {error}")
        return wrong("raises-always", saw, expected)
    if got == "task planner solver translator":
        return right(both("3 failures named, 1 text", "失敗3件の名前と、文章1件"))
    saw = both(f"all stages work, pipe() gives {shown(got)}", f"全ステージが正常で {shown(got)}")
    return wrong("", saw, expected)


Q2 = Task(
    key="q2",
    title=both("name the stage that failed", "失敗したステージの名前"),
    takes=("pipe",),
    judge=judge_pipe,
    wrong=(
        Wrong(
            "returns-empty",
            both("an empty text handed on in silence", "空の文章を黙って次に渡している"),
            both(
                "The next stage works on nothing, and nobody learns where it began. Look at each "
                "text as soon as it is there.",
                "次のステージは何もないところで働き、どこで途切れたのかがわかりません。"
                "文章は、できたそばから確かめます。",
            ),
        ),
        Wrong(
            "names-last-stage",
            both("the last stage blamed", "最後のステージのせいにしている"),
            both(
                "The test stands after the loop, where `name` is the last stage, whoever failed. "
                "Test within the loop.",
                "判定がループの後にあります。そこでの `name` は、どこで失敗しても最後のステージです。"
                "判定はループの中に置きます。",
            ),
        ),
        Wrong(
            "names-no-stage",
            both("an error without the right name", "エラーに正しい名前が入っていない"),
            both(
                "Somebody has to repair one stage of three. Put the variable of the loop into the "
                "message.",
                "直すべきなのは三つのうちの一つです。ループの変数をメッセージに入れてください。",
            ),
        ),
        Wrong(
            "raises-always",
            both("an error for a healthy pipe, too", "正常なパイプでもエラーになる"),
            both(
                "The condition holds for texts that are not empty. Which one is it that you mean?",
                "空でない文章でも条件が成り立っています。確かめたいのはどちらでしょうか。",
            ),
        ),
    ),
    hints=(
        both(
            "What is empty first, when a stage dies? Look at `text` after each round.",
            "ステージが壊れたとき、最初に空になるのは何でしょうか。ループごとに `text` を見ます。",
        ),
        both(
            "In the loop: run the stage, then test its text. `text.strip()` is empty for blanks "
            "and line breaks, too.",
            "ループの中で、ステージを動かしてから文章を判定します。`text.strip()` は、"
            "空白や改行だけの文章でも空になります。",
        ),
        both(
            "if not text.strip(): raise ValueError(____), with the variable that holds the name.",
            "if not text.strip(): raise ValueError(____) です。名前の入った変数を書きます。",
        ),
    ),
)

# --- q3: a validator -----------------------------------------------------------------------------

ROOMS = ("room", "hall", "kitchen")
# (kind, text, is it a plan?)
TEXTS = (
    ("plan", "1. Book the {room}\n2. Invite the team\n3. Send the agenda", True),
    ("plan", "1) Book the {room}\n2) Bring {n} chairs", True),
    ("wide", "１．会場を予約する\n２．案内を送る", True),
    ("wide", "１、豆を{n}袋量る\n２、焙煎する", True),
    ("digits", "We need {n} chairs in the {room} by 10.\nThen 2 people bring coffee.", False),
    ("digits", "会場は2階で、椅子は{n}脚です。\n担当は3人です。", False),
    ("year", "2026 was a good year.\n2027 will be better.", False),
    ("prose", "Book the {room}.\nInvite the team.", False),
    ("lead", "Here is the plan:\n1. Book the {room}\n2. Invite the team", False),
    ("empty", "", False),
)


def make_texts(rng: random.Random, lang: str) -> list[str]:
    return [text for text, _, _ in shuffled_texts(rng)]


def shuffled_texts(rng: random.Random) -> list[tuple[str, str, bool]]:
    rows = [
        (text.format(room=rng.choice(ROOMS), n=rng.randrange(4, 20)), kind, want)
        for kind, text, want in TEXTS
    ]
    rng.shuffle(rows)
    return rows


def kind_of(text: str) -> tuple[str, bool]:
    """The kind of one of the texts, whatever its numbers; and is it a plan?"""
    for kind, pattern, want in TEXTS:
        rule = re.escape(pattern).replace(r"\{room\}", r"\w+").replace(r"\{n\}", r"\d+")
        if re.fullmatch(rule, text):
            return kind, want
    raise LookupError(text)


def judge_validator(texts: list[str], pattern: Any, is_plan: Any) -> Judgement:
    missed = []
    for text in texts:
        kind, want = kind_of(text)
        if bool(call(is_plan, text)) != want:
            missed.append((kind, text))
    expected = both(
        "True for the 4 plans, False for the 6 other texts", "計画4件でTrue、ほかの6件でFalse"
    )
    if not missed:
        return right(both("10 of 10 texts", "10件中10件"))
    kinds = {kind for kind, _ in missed}
    first = missed[0][1].partition("\n")[0]
    saw = both(
        f"{10 - len(missed)} of 10 right; the first that is not begins with '{first}'",
        f"10件中{10 - len(missed)}件が正解。違った最初の文章は '{first}' で始まる",
    )
    if "digits" in kinds:
        return wrong("prose-with-digits-passes", saw, expected)
    if "wide" in kinds:
        return wrong("full-width-fails", saw, expected)
    if "year" in kinds:
        return wrong("number-is-enough", saw, expected)
    return wrong("", saw, expected)


Q3 = Task(
    key="q3",
    title=both("is it a numbered plan?", "番号付きの計画かどうか"),
    takes=("PATTERN", "is_plan"),
    make=make_texts,
    judge=judge_validator,
    wrong=(
        Wrong(
            "prose-with-digits-passes",
            both("a digit anywhere counts", "どこかに数字があれば通している"),
            both(
                "A sentence with a number in it is no plan. The number has to stand at the "
                "beginning of the line.",
                "数字の入った文は計画ではありません。番号は行の先頭になければなりません。",
            ),
        ),
        Wrong(
            "full-width-fails",
            both("full-width numbers refused", "全角の番号を通していない"),
            both(
                "A Japanese model may write １． or １、 with wide characters. `[0-9]` and `.` do "
                "not match these, `\\d` and a list of marks do.",
                "日本語のモデルは、全角で「１．」や「１、」と書くことがあります。`[0-9]` と半角の点では"
                "一致しません。`\\d` と記号の一覧を使います。",
            ),
        ),
        Wrong(
            "number-is-enough",
            both("a number without a mark after it counts", "番号の後の記号を見ていない"),
            both(
                "'2026 was a good year.' begins with a number. After the number of a step stands a "
                "mark.",
                "「2026 was a good year.」も数字で始まります。段取りの番号の後には記号があります。",
            ),
        ),
    ),
    hints=(
        both(
            "Print two texts that are judged wrongly: what stands at the beginning of their lines?",
            "判定を間違えた文章を二つ表示し、行の先頭に何があるかを見てください。",
        ),
        both(
            "Three parts: digits, one of the marks . ) ． ） 、, and then something that is no space.",
            "三つの部分に分けます。数字、記号 . ) ． ） 、 のどれか、そして空白でない文字です。",
        ),
        both(
            r'PATTERN = r"\s*\d+\s*[____]\s*\S", with the marks in the brackets; \d also matches '
            "full-width digits.",
            r'PATTERN = r"\s*\d+\s*[____]\s*\S" の角かっこの中に記号を並べます。\dは全角数字にも一致します。',
        ),
    ),
)

# --- q4: one retry -------------------------------------------------------------------------------


def make_cases(rng: random.Random, lang: str) -> list[tuple[float, float]]:
    """(p, c): accuracy of the stage, and the share of its failures that the validator catches."""
    return [(rng.randrange(50, 90) / 100, rng.randrange(30, 80) / 100) for _ in range(3)]


def judge_retry(cases: list[tuple[float, float]], with_retry: Any) -> Judgement:
    found = [call(with_retry, p, c) for p, c in cases]
    saw = both(
        f"{shown(found)} for {shown(cases)}",
        f"{shown(cases)} に対して {shown(found)}",
    )
    expected = both(
        "a share from 0 to 1 for each pair of p and c, within 0.005",
        "pとcの組ごとに、0から1までの正答率（誤差0.005以内）",
    )
    formulas = {
        None: lambda p, c: p + (1 - p) * c * p,
        "retry-always-works": lambda p, c: p + (1 - p) * c,
        "catches-everything": lambda p, c: p + (1 - p) * p,
        "adds-shares": lambda p, c: p + c * p,
        "retries-the-right": lambda p, c: p * p + (1 - p) * c * p,
    }
    for name, formula in formulas.items():
        wants = [formula(p, c) for p, c in cases]
        if all(
            near(x, want, 0.005 / max(want, 1e-9)) for x, want in zip(found, wants, strict=True)
        ):
            return right(saw) if name is None else wrong(name, saw, expected)
    return wrong("", saw, expected)


Q4 = Task(
    key="q4",
    title=both("what one retry brings", "やり直し1回の効果"),
    takes=("with_retry",),
    make=make_cases,
    judge=judge_retry,
    wrong=(
        Wrong(
            "retry-always-works",
            both("the second try taken for certain", "2回目は必ず成功すると考えている"),
            both(
                "The same stage tries again, and it is right with p, as before.",
                "やり直すのも同じステージです。2回目が正しい確率も、前と同じpです。",
            ),
        ),
        Wrong(
            "catches-everything",
            both("a validator that misses nothing", "検証がすべての失敗を見つけると考えている"),
            both(
                "Only a share c of the failures is caught; the rest goes on to the next stage.",
                "見つかるのは失敗のうちの割合cで、残りは次のステージへ流れていきます。",
            ),
        ),
        Wrong(
            "adds-shares",
            both("shares of all instead of shares of failures", "全体に対する割合を足している"),
            both(
                "c is a share of the failures, and failures are 1 - p of all.",
                "cは失敗に対する割合です。失敗は全体の1 - pです。",
            ),
        ),
        Wrong(
            "retries-the-right",
            both("right answers tried again, too", "正しい回答までやり直している"),
            both(
                "What was right the first time needs no second try: that branch keeps p.",
                "1回目に正しかった回答はやり直しません。その枝の値はpのままです。",
            ),
        ),
    ),
    hints=(
        both(
            "Draw the tree: right at once, or wrong; if wrong, caught or not; if caught, right now "
            "or not.",
            "枝分かれの図を描きます。1回で正しいか。違うなら見つかるか。見つかったら次は正しいか。",
        ),
        both(
            "Two branches end right: p, and (1 - p) times two more factors.",
            "正しく終わる枝は二つです。pと、(1 - p) にあと二つを掛けたものです。",
        ),
        both(
            "p + (1 - p) * c * ____, because the second try is as good as the first.",
            "p + (1 - p) * c * ____ です。2回目の正しさは1回目と同じだからです。",
        ),
    ),
)

TASKS = (Q1, Q2, Q3, Q4)
