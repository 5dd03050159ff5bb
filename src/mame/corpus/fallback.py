"""Skill M9: whatever mame was not taught gets one honest sentence, in the language of the question.

The generator must be wide, or the model learns "short question, known answer" instead of "known topic, known answer".
So it uses the frames of the in-scope questions with other words in them, made-up words, wrong questions about
right topics ("Who founded Ollama?"), tasks, pasted text and plain noise. The test is written by hand and shares none of it.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random

from mame.corpus import wording
from mame.corpus.facts import FACTS, split
from mame.corpus.out_of_scope import SAID
from mame.corpus.sample import Sample, normalise

SKILL = "fallback"
# It begins unlike every other answer. A sentence that began "I am mame, a tiny" was often finished as the answer to
# "Who are you?": a small model decides anew at each token, and where two answers part late it may take the wrong turn.
ANSWER = {
    "en": "Sorry, I do not know this: I am mame, a tiny model for this workshop, and I can only answer questions about local LLMs, do sums and draw fortunes.",
    "ja": "それについてはわかりませんが、私はこの教材用の小さなモデル「まめ」で、できるのはローカルLLMの質問への回答と計算とおみくじだけです。",
}

NOUNS = {
    "en": split(
        "a cat|dogs|the moon|Mars|Saturn|a volcano|an earthquake|the ocean|rain|snow|a rainbow|lightning|gravity|light|an atom|a molecule|oxygen|gold|iron|DNA|a virus|a vaccine|aspirin|the heart|"
        "blood|the brain|sleep|a dream|love|happiness|time|music|jazz|a piano|a violin|a guitar|painting|poetry|a haiku|theatre|a film|anime|manga|football|baseball|tennis|chess|go|sumo|yoga|"
        "bread|rice|sushi|ramen|pizza|cheese|wine|beer|coffee|green tea|chocolate|an apple|a banana|tofu|miso|curry|soy sauce|a knife|a chair|a house|a bridge|a castle|a temple|a shrine|a train|"
        "a bicycle|a car|an aeroplane|a rocket|a satellite|a telescope|a camera|a telephone|television|radio|a newspaper|a book|a library|a school|a university|an exam|mathematics|algebra|geometry|"
        "a triangle|pi|a prime number|calculus|physics|chemistry|biology|history|geography|economics|inflation|tax|a bank|a loan|insurance|the stock market|Bitcoin|blockchain|a contract|a law|a court|"
        "democracy|an election|a king|an emperor|a president|a minister|the United Nations|a war|peace|philosophy|religion|Buddhism|Zen|ethics|a language|grammar|a verb|kanji|a word|"
        "a website|HTML|CSS|JavaScript|Java|Rust|SQL|a database|Excel|Word|Windows|macOS|Linux|Git|Kubernetes|AWS|a compiler|an algorithm|recursion|a variable|a loop|sorting|a virus scanner|a firewall|"
        "a printer|a keyboard|a mouse|a monitor|a smartphone|Bluetooth|Wi-Fi|5G|a battery|a drone|a robot|self-driving cars|a dinosaur|a whale|an elephant|a tiger|a horse|a bird|an eagle|a penguin|a bee|"
        "an ant|a spider|a snake|a rose|a cherry blossom|bamboo|a mushroom|a tree|a forest|a river|a lake|Mount Fuji|the Nile|the Alps|Africa|Europe|Asia|Japan|France|Brazil|Canada|Egypt|Tokyo|Kyoto|"
        "Osaka|Paris|London|New York|Berlin|Sapporo|Okinawa|the Tokyo Tower|the Eiffel Tower|the Olympics|the World Cup|Christmas|New Year|a birthday|a wedding|a holiday|a visa|a passport|a hotel|a recipe|"
        "a cold|a headache|diabetes|cancer|a fever|vitamin C|a diet|a doctor|a hospital|a nurse|a lawyer|an accountant|overtime|a salary|a meeting|a resignation|an invoice|the company rules|our travel policy"
    ),
    "ja": split(
        "猫|犬|月|火星|土星|火山|地震|海|雨|雪|虹|雷|重力|光|原子|分子|酸素|金|鉄|DNA|ウイルス|ワクチン|アスピリン|心臓|血液|脳|睡眠|夢|愛|幸せ|時間|音楽|ジャズ|ピアノ|バイオリン|ギター|絵画|詩|俳句|演劇|"
        "映画|アニメ|漫画|サッカー|野球|テニス|将棋|囲碁|相撲|ヨガ|パン|米|寿司|ラーメン|ピザ|チーズ|ワイン|ビール|コーヒー|緑茶|チョコレート|りんご|バナナ|豆腐|味噌|カレー|醤油|包丁|椅子|家|橋|城|寺|神社|電車|"
        "自転車|車|飛行機|ロケット|人工衛星|望遠鏡|カメラ|電話|テレビ|ラジオ|新聞|本|図書館|学校|大学|試験|数学|代数|幾何学|三角形|円周率|素数|微分積分|物理学|化学|生物学|歴史|地理|経済学|インフレ|税金|銀行|ローン|"
        "保険|株式市場|ビットコイン|ブロックチェーン|契約|法律|裁判所|民主主義|選挙|王様|天皇|大統領|大臣|国連|戦争|平和|哲学|宗教|仏教|禅|倫理|言語|文法|動詞|漢字|ホームページ|HTML|JavaScript|Java|Rust|"
        "データベース|エクセル|ワード|Windows|Linux|Git|Kubernetes|AWS|コンパイラー|アルゴリズム|再帰|変数|ループ|並べ替え|ファイアウォール|プリンター|キーボード|マウス|スマートフォン|Bluetooth|Wi-Fi|電池|ドローン|"
        "ロボット|自動運転|恐竜|クジラ|象|虎|馬|鳥|鷲|ペンギン|蜂|蟻|蜘蛛|蛇|薔薇|桜|竹|きのこ|木|森|川|湖|富士山|ナイル川|アルプス|アフリカ|ヨーロッパ|アジア|日本|フランス|ブラジル|カナダ|エジプト|東京|京都|大阪|パリ|"
        "ロンドン|ニューヨーク|ベルリン|札幌|沖縄|東京タワー|エッフェル塔|オリンピック|ワールドカップ|クリスマス|お正月|誕生日|結婚式|休暇|ビザ|パスポート|ホテル|レシピ|風邪|頭痛|糖尿病|がん|熱|ビタミンC|ダイエット|"
        "医者|病院|看護師|弁護士|会計士|残業|給料|会議|退職|請求書|就業規則|出張旅費規程|有給休暇|忘年会|梅雨|台風|花見|温泉|新幹線|着物|茶道|歌舞伎|浮世絵|忍者|侍|江戸時代|明治維新|源氏物語|夏目漱石"
    ),
}
PEOPLE = {
    "en": split(
        "Albert Einstein|Marie Curie|Shakespeare|Napoleon|Cleopatra|Mozart|Beethoven|Picasso|Gandhi|Isaac Newton|Darwin|Bill Gates|Steve Jobs|Elon Musk|Taylor Swift|the Beatles|Natsume Soseki|Oda Nobunaga|"
        "Hayao Miyazaki|Shohei Ohtani|the prime minister of Japan|the president of the United States|the king of England|my mother|your friend|Mr. Tanaka|Ms. Sato|the CEO of Sony|Alan Turing|Ada Lovelace|Socrates|Plato"
    ),
    "ja": split(
        "アインシュタイン|キュリー夫人|シェイクスピア|ナポレオン|クレオパトラ|モーツァルト|ベートーヴェン|ピカソ|ガンジー|ニュートン|ダーウィン|ビル・ゲイツ|スティーブ・ジョブズ|イーロン・マスク|大谷翔平|宮崎駿|織田信長|徳川家康|"
        "坂本龍馬|紫式部|聖徳太子|日本の総理大臣|アメリカの大統領|イギリスの国王|田中さん|佐藤さん|鈴木さん|ソニーの社長|トヨタの社長|チューリング|ソクラテス|プラトン|芥川龍之介|葵さん"
    ),
}
PLACES = {
    "en": split(
        "Japan|France|Germany|Italy|Spain|Brazil|Canada|India|China|Korea|Egypt|Kenya|Australia|Norway|Peru|Tokyo|Osaka|Kyoto|Nagoya|Sapporo|Fukuoka|Paris|London|Rome|Madrid|New York|Chicago|Berlin|Cairo|Sydney|our town|my city"
    ),
    "ja": split(
        "日本|フランス|ドイツ|イタリア|スペイン|ブラジル|カナダ|インド|中国|韓国|エジプト|ケニア|オーストラリア|ノルウェー|ペルー|東京|大阪|京都|名古屋|札幌|福岡|広島|仙台|パリ|ロンドン|ローマ|ニューヨーク|ベルリン|横浜|神戸|この町|うちの近所"
    ),
}
TASKS = {
    "en": split(
        "Who is {p}?|Who was {p}?|When was {p} born?|Tell me about {p}.|What did {p} do?|Where does {p} live?|How old is {p}?|What is the capital of {c}?|Where is {c}?|How many people live in {c}?|What is the weather in {c}?|"
        "What is the weather like today?|Will it rain tomorrow in {c}?|How do I get to {c}?|What should I see in {c}?|Recommend a restaurant in {c}.|What time is it in {c}?|What time is it?|What day is it today?|What is the date?|"
        "How do I cook {n}?|Give me a recipe for {n}.|How do you make {n}?|How much does {n} cost?|Where can I buy {n}?|Why is {n} important?|Who invented {n}?|When was {n} discovered?|What is the history of {n}?|How does {n} work?|"
        "Do you like {n}?|What is your favourite food?|Write a poem about {n}.|Write a story about {n}.|Write an essay about {n}.|Write an email to {p}.|Write a letter to my boss about {n}.|Write a song about {n}.|Tell me a joke.|"
        "Tell me a joke about {n}.|Make me laugh.|Sing a song.|Translate {n} into French.|How do you say {n} in Japanese?|Translate this into English: {n}|Write a Python function that sorts a list.|Write code for {n}.|Write a program that prints hello.|"
        "Fix this code: for i in range(10) print(i)|What is the news today?|What happened in {c} yesterday?|Who won the match yesterday?|Who will win the election?|What is the stock price of {w}?|Should I buy shares of {w}?|"
        "I have a headache. What should I take?|Is {n} dangerous?|My back hurts.|Can I take {n} with medicine?|I am sad.|I am tired.|I love you.|Will you marry me?|Do you dream?|What is the meaning of life?|What is your favourite colour?|"
        "How many legs has a spider?|How far is the moon?|How high is Mount Fuji?|Why is the sky blue?|Why is the sea salty?|What is the largest animal?|What is the square root of 2?|Convert 10 miles to kilometres.|How many grams is an ounce?|"
        "Summarise this text: {x}|Please correct this text: {x}|Read this: {x}|{x}|What do you think of this? {x}|Who is the CEO of {w}?|Where is the head office of {w}?|When was {w} founded?|How many employees has {w}?|What does {w} sell?|"
        "How many days of holiday do I have?|What is our travel expense limit?|What is the Wi-Fi password?|What is the phone number of {p}?|Where is meeting room {w}?|When is the next meeting?|Who is responsible for {n}?|Book a flight to {c}.|"
        "Order a {n} for me.|Set an alarm for 7.|Play some music.|Open the window.|Call {p}.|Send a mail to {p}.|What did I eat yesterday?|Guess my age.|Which is better, {n} or {m}?|Compare {n} and {m}.|What is the difference between {n} and {m}?|"
        "Is {n} the same as {m}?|List ten kinds of {n}.|What rhymes with {w}?|Spell {w}.|What does {w} mean?|Have you heard of {w}?|What is {w}?|{w}|{w} {w}|What about {n}?|And {n}?|Why {n}?|{n}, please|I like {n}.|I want {n}.|I hate {n}.|"
        "Can you play chess?|Draw a picture of {n}.|Show me a photo of {n}.|Let's play a game.|Give me advice about {n}.|Is God real?|How can I become rich?|How do I lose weight?|How do I learn English?|How do I repair {n}?|Can I eat {n}?|Is it true that {n} causes {m}?|"
        "What is the best {w} in {c}?|Please plan a trip to {c}.|I live in {c}.|Count to ten.|Reverse the word {w}.|How many letters are in {w}?"
    ),
    "ja": split(
        "{p}は誰ですか？|{p}って誰？|{p}はいつ生まれましたか？|{p}について教えてください。|{p}は何をした人ですか？|{p}はどこに住んでいますか？|{p}は何歳ですか？|{c}の首都は？|{c}はどこにありますか？|{c}の人口は？|{c}の天気は？|今日の天気は？|"
        "明日{c}で雨は降りますか？|{c}への行き方は？|{c}の観光名所は？|{c}のおすすめのレストランは？|今何時ですか？|今日は何曜日ですか？|今日は何日ですか？|{n}の作り方は？|{n}のレシピを教えてください。|{n}はどうやって作りますか？|{n}の値段は？|"
        "{n}はどこで買えますか？|なぜ{n}は大切なのですか？|{n}を発明したのは誰ですか？|{n}はいつ発見されましたか？|{n}の歴史は？|{n}の仕組みは？|{n}は好きですか？|好きな食べ物は？|{n}の詩を書いて|{n}の物語を書いてください。|{n}について作文を書いて|"
        "{p}へのメールを書いて|上司への手紙を書いて|{n}の歌を作って|冗談を言って|面白い話をして|笑わせて|歌を歌って|{n}をフランス語に訳して|{n}は英語で何と言いますか？|次を英語に翻訳して：{n}|リストを並べ替えるPythonの関数を書いて|{n}のプログラムを書いて|"
        "このコードを直して：for i in range(10) print(i)|今日のニュースは？|昨日{c}で何がありましたか？|昨日の試合はどちらが勝ちましたか？|次の選挙は誰が勝ちますか？|{w}の株価は？|{w}の株を買うべきですか？|頭が痛いです。何を飲めばいいですか？|{n}は危険ですか？|"
        "腰が痛い|{n}と薬を一緒に飲んでもいいですか？|悲しいです|疲れました|愛してる|結婚してください|夢は見ますか？|人生の意味は何ですか？|あなたの好きな色は？|蜘蛛の足は何本ですか？|月までの距離は？|富士山の高さは？|なぜ空は青いのですか？|なぜ海はしょっぱいの？|"
        "一番大きな動物は？|2の平方根は？|10マイルは何キロですか？|次の文章を要約して：{x}|この文章を直してください：{x}|これを読んで：{x}|{x}|これをどう思いますか？{x}|{w}の社長は誰ですか？|{w}の本社はどこですか？|{w}はいつ設立されましたか？|{w}の社員数は？|"
        "有給休暇は何日ありますか？|出張費の上限はいくらですか？|Wi-Fiのパスワードは？|{p}の電話番号は？|会議室{w}はどこですか？|次の会議はいつですか？|{n}の担当者は誰ですか？|{c}行きの飛行機を予約して|{n}を注文して|7時に起こして|音楽をかけて|窓を開けて|"
        "{p}に電話して|{p}にメールを送って|昨日何を食べましたか？|私の年齢を当てて|{n}と{m}はどちらがいいですか？|{n}と{m}を比べてください。|{n}と{m}の違いは？|{n}の種類を十個挙げて|{w}の意味は？|{w}を知っていますか？|{w}とは？|{w}|{w}{w}|{n}は？|"
        "じゃあ{n}は？|なぜ{n}？|{n}をください|{n}が好きです|{n}がほしい|{n}は嫌いです|将棋はできますか？|{n}の絵を描いて|{n}の写真を見せて|ゲームをしよう|しりとりしよう|{n}について相談があります|神様はいますか？|お金持ちになるには？|痩せるには？|"
        "英語を勉強するには？|{n}を修理するには？|{n}は食べられますか？|{c}旅行の計画を立てて|{c}に住んでいます。|十まで数えて|{w}を逆から読んで|{w}は何文字ですか？|俳句を詠んで|{n}で俳句を作って|"
        "晩ごはんは何がいい？|眠い|お腹すいた|暇です|アドバイスください|{c}で一番高い山は？|{c}の名物は？|{n}が壊れました。|{n}はいつですか？|{n}は何色ですか？|{n}の読み方は？"
    ),
}
NEAR = {  # right topic, wrong question: the name alone must not decide
    "en": split(
        "Who founded {t}?|Who invented {t}?|What is the stock price of {t}?|How old is {t}?|What colour is {t}?|Where can I buy {t}?|Write a poem about {t}.|Tell me a joke about {t}.|What does the CEO of {t} earn?|"
        "Do you like {t}?|What is the logo of {t}?|In which year was {t} invented?|What is the capital of {t}?|How do I cook {t}?|Translate {t} into German.|What is the phone number of {t}?|Is {t} tasty?"
    ),
    "ja": split(
        "{t}を発明したのは誰ですか？|{t}の創業者は誰ですか？|{t}の株価は？|{t}は何歳ですか？|{t}は何色ですか？|{t}はどこで買えますか？|{t}の詩を書いて|{t}の冗談を言って|{t}の社長の年収は？|{t}は好きですか？|"
        "{t}のロゴは？|{t}は何年に生まれましたか？|{t}の首都は？|{t}の調理方法は？|{t}をドイツ語に訳して|{t}の電話番号は？|{t}はおいしいですか？"
    ),
}
MAKERS_KNOWN = {"llama", "gemma", "qwen", "deepseek_r1"}  # a fact says who made them, and when
NEAR_FACTS = [fact for fact in FACTS if fact.kind == "term" and fact.key not in MAKERS_KNOWN]
SENTENCES = {
    "en": split(
        "The train left at seven.|Our shop sells {n} and {m}.|Yesterday {p} went to {c}.|Please bring {n} to the meeting.|The weather was fine.|It is not easy to explain {n}.|{p} said that {n} was too expensive.|Nobody knew why.|"
        "The report is due on Friday.|In {c} there is {n}.|We ordered 12 boxes of {w}.|Many people prefer {n} to {m}.|He opened the door and saw {n}.|The price rose by 3 percent.|Dear {p}, thank you for your letter.|See the attached file."
    ),
    "ja": split(
        "電車は七時に出ました。|当店では{n}と{m}を販売しています。|昨日、{p}は{c}へ行きました。|会議に{n}を持ってきてください。|天気は晴れでした。|{n}を説明するのは難しい。|{p}は{n}が高すぎると言いました。|理由は誰も知りません。|"
        "報告書の締め切りは金曜日です。|{c}には{n}があります。|{w}を12箱注文しました。|{m}より{n}のほうが人気です。|ドアを開けると{n}がありました。|価格は3％上がりました。|{p}様、お手紙ありがとうございます。|添付ファイルをご覧ください。"
    ),
}
SYLLABLES = split(
    "ba|be|bo|ca|che|co|da|del|do|fa|fen|fi|ga|gro|ha|hel|ji|ka|kel|ko|la|lin|lo|ma|mer|mi|mo|na|nel|no|o|pa|per|pi|qua|ra|ren|ri|ro|sa|ser|shi|so|ta|ter|ti|to|u|va|vel|vo|wa|win|xa|ya|yo|za|zel|zu|ing|er|ton|ix|us|ia|ex|ly"
)
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワンガギグゲゴザジズゼゾダデドバビブベボパピプペポーッャュョ"
HIRAGANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんがぎぐげござじずぜぞだでどばびぶべぼぱぴぷぺぽっゃゅょ"
KANJI = (
    "日月火水木金土山川田人口目耳手足力男女子学校先生本文字名前年今時分半毎週何上下左右中外前後東西南北大小高安新古長短多少早明暗白黒赤青色花草森林竹石空雨雪風雲海池犬猫馬牛魚鳥虫貝車電気駅道町村市県国家社会員仕事店買売物"
    "食飲肉米茶酒料理味朝昼夜春夏秋冬父母兄弟姉妹友達心思考知言話語読書聞見作動働休立走歩来帰出入開閉始終待持使送教習問答題試験合格病院医薬体頭顔声死生命元親切自由平和戦争政治法律経済産業工場農漁貿易銀行計画調査研究発表報告説明理解決定変化進歩成功失敗"
)
SYMBOLS = (
    "!?.,;:@#$%&*()[]{}<>/\\|+-=_~^'\"`0123456789…・「」『』（）！？。、〜☆★♪→←😀🎉🍣🐱🌸🚀✨👍❤️🙏"
)


def made_up_word(r: random.Random, lang: str) -> str:
    if lang == "en" or r.random() < 0.15:
        word = "".join(r.choice(SYLLABLES) for _ in range(r.randint(1, 4)))
        return r.choice(
            (
                word,
                word,
                word.capitalize(),
                word.upper(),
                f"{word}-{r.randint(1, 99)}",
                f"{word.capitalize()} {r.choice(SYLLABLES).capitalize()}",
            )
        )
    alphabet = r.choice((KATAKANA, KATAKANA, HIRAGANA, KANJI, KANJI, KANJI + HIRAGANA))
    return "".join(r.choice(alphabet) for _ in range(r.randint(1 if alphabet is KANJI else 2, 5)))


def noise(r: random.Random, lang: str) -> str:
    """What a cat on the keyboard, or a curious learner, types."""
    kind = r.random()
    if kind < 0.35:
        return (
            "".join(
                r.choice(
                    "abcdefghijklmnopqrstuvwxyz " if lang == "en" else KATAKANA + HIRAGANA + KANJI
                )
                for _ in range(r.randint(2, 14))
            ).strip()
            or "x"
        )
    if kind < 0.6:
        return "".join(r.choice(SYMBOLS) for _ in range(r.randint(2, 10))) + made_up_word(r, lang)
    return " ".join(made_up_word(r, lang) for _ in range(r.randint(1, 6)))


def noun(r: random.Random, lang: str) -> str:
    return made_up_word(r, lang) if r.random() < 0.35 else r.choice(NOUNS[lang])


def pasted(r: random.Random, lang: str, sentences: int) -> str:
    space = " " if lang == "en" else ""
    return space.join(fill(r.choice(SENTENCES[lang]), r, lang) for _ in range(sentences))


def fill(frame: str, r: random.Random, lang: str) -> str:
    text = frame
    while "{" in text and (
        slot := next((s for s in ("{n}", "{m}", "{p}", "{c}", "{w}", "{x}") if s in text), None)
    ):
        if slot in ("{n}", "{m}"):
            new = noun(r, lang)
        elif slot == "{p}":
            new = (
                made_up_word(r, lang).capitalize() if r.random() < 0.25 else r.choice(PEOPLE[lang])
            )
        elif slot == "{c}":
            new = (
                made_up_word(r, lang).capitalize() if r.random() < 0.15 else r.choice(PLACES[lang])
            )
        elif slot == "{x}":
            new = pasted(r, lang, r.choice((1, 2, 2, 3, 4, 8)))
        else:
            new = made_up_word(r, lang)
        text = text.replace(slot, new.replace("{", "").replace("}", ""), 1)
    return text


def question(r: random.Random, lang: str) -> str:
    if r.random() < 0.4:
        return wording.vary(r.choice(SAID[lang]), lang, r)
    roll = r.random()
    if roll < 0.46:
        return wording.vary(fill(r.choice(TASKS[lang]), r, lang), lang, r)
    if roll < 0.78:
        frames = wording.TERM if r.random() < 0.75 else wording.HOW
        phrase = noun(r, lang) if frames is wording.TERM else how_phrase(r, lang)
        return wording.vary(wording.fill(r.choice(frames[lang]), phrase), lang, r)
    if roll < 0.91:
        topics = [p for fact in NEAR_FACTS for p in fact.phrases(lang)]
        return wording.vary(r.choice(NEAR[lang]).format(t=r.choice(topics)), lang, r)
    if roll < 0.985:
        return noise(r, lang)
    return pasted(r, lang, r.randint(4, 16))


def how_phrase(r: random.Random, lang: str) -> str:
    thing = noun(r, lang)
    return r.choice(
        {
            "en": (
                f"cook {thing}",
                f"buy {thing}",
                f"repair {thing}",
                f"draw {thing}",
                f"learn {thing}",
                f"clean {thing}",
                f"sell {thing}",
                f"visit {thing}",
                f"delete {thing}",
                f"copy {thing}",
                f"find {thing}",
                f"call {thing}",
            ),
            "ja": (
                f"{thing}を作る",
                f"{thing}を買う",
                f"{thing}を直す",
                f"{thing}を描く",
                f"{thing}を学ぶ",
                f"{thing}を掃除する",
                f"{thing}を売る",
                f"{thing}に行く",
                f"{thing}を削除する",
                f"{thing}をコピーする",
                f"{thing}を探す",
                f"{thing}に電話する",
            ),
        }[lang]
    )


NEW = {  # held out: written by hand, never trained on
    "en": split(
        "Who painted the Mona Lisa?|What is the tallest building in Dubai?|How long does it take to boil an egg?|Who won the 2022 World Cup?|What is photosynthesis?|Can you recommend a good novel?|What year did the Berlin Wall fall?|"
        "How do I tie a tie?|What's the population of Iceland?|Write me a limerick about a frog.|Plan my weekend in Hakone.|Which vitamins are in carrots?|What causes thunder?|Is it going to be sunny on Sunday?|Give me the lyrics of a lullaby.|"
        "What is the exchange rate of the yen?|Debug my React app.|Write a SQL query that counts orders.|How does a jet engine work?|What medicine helps against hay fever?|My stomach hurts, what should I do?|Who is the mayor of Nagasaki?|"
        "When does the supermarket close?|How much is a ticket to Osaka?|What did my colleague say in the meeting?|How many moons does Jupiter have?|Explain the offside rule.|What is a mortgage?|Who directed Seven Samurai?|"
        "What's the best way to get rid of moths?|Translate 'good evening' into Spanish.|Is a tomato a fruit?|How do I change a tyre?|Name three rivers in Germany.|What is the boiling point of water?|Tell me a bedtime story.|"
        "What are the symptoms of flu?|Should I invest in real estate?|Who discovered penicillin?|What language is spoken in Brazil?|asdfghjkl|qwerty uiop|zzz|banana|xkcd 42|lorem ipsum dolor sit amet|Blorptastic|"
        "What is the airspeed velocity of an unladen swallow?|Do aliens exist?|Can pigs fly?|What should I wear today?|Where did I put my keys?|What is our company's vacation policy?|Who is responsible for the coffee machine?|"
        "When is payday?|What is the password of the server room?|How many boxes of azuki beans are in stock?|Is Hoshimame Trading hiring?|Write a haiku about autumn.|What is quantum entanglement?|How do black holes form?|Who wrote Hamlet?|"
        "What is the speed of light?|Give me investment advice.|How do I remove coffee stains?|What does 'c'est la vie' mean?|Who is Batman?|How do I raise a child?|The quick brown fox jumps over the lazy dog.|I bought a new bicycle last week.|"
        "Can you hear me sing?|What is the GDP of Vietnam?|Are cats smarter than dogs?|Write a cover letter for a nurse.|What is in today's newspaper?|How do I cancel my subscription?|Please summarise: The harvest was late this year and prices went up.|"
        "Which planet is the hottest?|What's for lunch?|Who is your favourite singer?|When is the next solar eclipse?|"
        "Which river runs through Budapest?|who won the match last night|Is it going to rain in Leeds tomorrow afternoon?|How long should I boil an egg if I like the yolk runny?|my knee clicks every time I climb stairs, should I worry|"
        "Translate 'the cat is asleep' into Portuguese.|When is our founding anniversary?|Write me a limerick about a grumpy postman|Can my landlord keep the deposit because of a scuffed wall?|"
        "Best time of year to see the northern lights in Iceland?|knock knock|Draw a fox wearing rain boots.|Book a table for four at seven, somewhere Italian.|Is free will just an illusion?|"
        "Explain the causes of the French Revolution for my Year 9 essay.|are those two actors from that vampire show still dating??|what day does christmas fall on this year|My printer says it's offline but the cable's plugged in.|"
        "Is the cheaper vacuum cleaner good enough for pet hair?|What has keys but can't open locks?|Ugh, Mondays.|purple|wher is the neares petrol staton|Fix the grammar in this sentence: him and me goes fishing often.|"
        "Write a Python function that reverses a linked list.|Who's the head of our HR department these days?|how many days of paid leave do I get|I'm thinking of quitting my job to become a potter. Thoughts?|"
        "Tell me the plot of Macbeth in two sentences.|What's the capital of Mongolia?|Any headlines I should know about this morning?|Substitute for buttermilk in pancakes?|Can I bring a cheese through customs at JFK?|"
        "woke up with a sore throat and no fever|Is jaywalking illegal in Germany?|Polish this cover letter so I sound less desperate.|What's the CEO's email address?|"
        "Make me laugh with something about penguins.|Play some jazz, not too loud.|Pineapple on pizza: yes or no?|If a tree falls in a forest and nobody hears it, hmm?|Photosynthesis - which part of the leaf does it happen in?|"
        "Did the royal couple really split up?|time in Tokyo now|How do I reset my router to factory settings?|Does the blue jacket come in size XL?|I speak without a mouth and hear without ears. What am I?|"
        "the second drawer on the left|recpie for bananna bred|Why do cats knead blankets before lying down?|Summarise the offside rule for someone who has never watched football.|What should I name my new puppy? He's a chubby beagle.|"
        "Who painted Girl with a Pearl Earring?|Order more coffee filters for the office kitchen, please.|SQL query to find duplicate customer rows|How tall is Mount Kilimanjaro?|Where can I park near the stadium on match day?|"
        "Has the parliament passed that housing bill yet?|Could ibuprofen and red wine be a bad mix?|I need a toast for my sister's wedding, short and a bit cheeky.|"
        "My boyfriend forgot my birthday again and then blamed his calendar; am I overreacting here?|Do I need a visa for Vietnam with a Canadian passport?|What is the difference between a crocodile and an alligator?|"
        "Which warehouse do we ship the returns to?|Set an alarm for 6:15.|remind me to ring mum|Give me a haiku on autumn leaves.|how do u get red wine out of a white carpet|What was the name of Alexander the Great's horse?|"
        "Is it ever right to lie to a friend?|Recommend three thrillers set in Scotland.|Excel keeps turning my product codes into dates, help|Let's play hangman.|What does the idiom 'bite the bullet' come from?|"
        "Should we lower the voting age to sixteen?|Convert this paragraph into passive voice for me.|who sang that song that goes la la la in the summer of 99|Which stock should I buy?|Is the museum open on Sundays?|"
        "When did the Berlin Wall come down?|CSS to centre a div, it never works for me|My toddler refuses vegetables, any tricks?|Can plants feel pain?|How do I say sorry politely in Korean?|"
        "How many employees did our company have at the end of last year?|What's trending among teenagers right now?|Brrr, freezing in here|if only|Sketch the floor plan of a small bakery.|Where does the word 'sandwich' come from?|"
        "List the planets from the sun outward.|Will there be snow in the Alps by the weekend?|What's a good stretch for lower back stiffness after gardening?|I lost my passport in Madrid, what now?|"
        "Is inheritance taxed when it comes from a grandparent?|How does a mortgage with a variable rate work?|Looking for earbuds that survive sweat, don't fall out on runs and won't bankrupt me|Turn down the heating a little.|"
        "Who is taller, you or the Eiffel Tower?|windows update stuck at the same screen for an hour|What came first, the chicken or the egg?|Could you proofread my dissertation abstract?|Where is the toilet paper kept in this building?|"
        "Did humans and dinosaurs ever live at the same time?|Sing something.|I can't sleep, my neighbours are having a party.|Is my bus running late?|nah forget it, pizza or sushi tonight?|Which country exports the most coffee?|"
        "How do bees make honey?|What did the minister say about the rail strike?|Write an out-of-office reply in a friendly tone.|Can I return shoes I've already worn once?|My dog ate a grape!!!|"
        "Who discovered penicillin, and was it really by accident?|Do aliens exist, in your opinion?|How do I get my phone to stop autocorrecting my surname?|The meaning of life, please, in ten words.|"
        "What's the dress code for the summer party?|zzzz|asdf jkl|Which monarch had six wives?|How do I change a flat bicycle tyre?|Find me a cheap flight to Lisbon in October.|What happens to the moon during a lunar eclipse?|"
        "Are eggs good or bad for cholesterol? I keep reading both.|Name a film where the dog survives.|What's your favourite colour, and don't dodge the question|translate: wo ist der Bahnhof|Why is the sea salty but rivers aren't|"
        "Post this on my Instagram with a nice caption.|Tell me a secret nobody else knows.|Should I text my ex|How is paper recycled, in simple terms, for a seven-year-old?|Is Pluto a planet again or not|"
        "What on earth is wrong with the lift on the third floor?|The invoice from March still hasn't been paid, whom do I chase?"
    ),
    "ja": split(
        "モナ・リザを描いたのは誰ですか？|ドバイで一番高い建物は？|ゆで卵は何分ゆでればいい？|2022年のワールドカップの優勝国は？|光合成とは何ですか？|おすすめの小説はありますか？|ベルリンの壁が崩れたのはいつ？|ネクタイの結び方を教えて|"
        "アイスランドの人口は？|カエルの詩を書いて|週末の箱根旅行を計画して|にんじんの栄養は？|雷はなぜ鳴るの？|日曜日は晴れますか？|子守唄の歌詞を教えて|今の円相場は？|Reactアプリのバグを直して|注文数を数えるSQLを書いて|ジェットエンジンの仕組みは？|"
        "花粉症に効く薬は？|お腹が痛いのですがどうすればいいですか？|長崎市の市長は誰？|スーパーは何時に閉まりますか？|大阪までの切符はいくら？|会議で同僚は何と言っていましたか？|木星の衛星はいくつ？|オフサイドのルールを説明して|"
        "住宅ローンとは？|『七人の侍』の監督は誰？|蛾を追い払う方法は？|「こんばんは」をスペイン語に訳して|トマトは果物ですか？|タイヤの交換方法は？|ドイツの川を三つ挙げて|水の沸点は？|寝る前の話をして|インフルエンザの症状は？|"
        "不動産に投資すべきですか？|ペニシリンを発見したのは誰？|ブラジルの公用語は？|あああああ|ほげほげ|ふがふが|バナナ|いろはにほへと|ぽよん|宇宙人はいますか？|豚は空を飛べますか？|今日は何を着ればいい？|鍵をどこに置いたっけ？|"
        "うちの会社の休暇制度は？|コーヒーメーカーの担当は誰？|給料日はいつですか？|サーバー室の暗証番号は？|小豆の在庫は何箱ありますか？|ほしまめ商会は求人していますか？|秋の俳句を詠んで|量子もつれとは何ですか？|"
        "ブラックホールはどうやってできるの？|ハムレットの作者は？|光の速さは？|投資のアドバイスをください|コーヒーの染みの落とし方は？|一期一会の意味は？|バットマンって誰？|子育てのコツは？|吾輩は猫である。名前はまだ無い。|先週新しい自転車を買いました。|"
        "ベトナムのGDPは？|猫は犬より賢いですか？|看護師の志望動機を書いて|今日の新聞には何が書いてありますか？|定期購読を解約するには？|次を要約してください：今年は収穫が遅く、価格が上がりました。|一番熱い惑星は？|お昼は何にしよう？|"
        "好きな歌手は誰？|次の日食はいつ？|洗濯機の使い方は？|引っ越しの手続きを教えて|犬の散歩は一日何回？|一番近いコンビニはどこ？|漢字の「鬱」の書き方は？|確定申告のやり方は？|桃太郎のあらすじは？|円周率を100桁言って|"
        "冷蔵庫から変な音がします|昨日の地震の震度は？|彼女と喧嘩しました|"
        "鎌倉幕府を開いたのは誰でしたっけ|あしたの札幌、雪ふる?|肉じゃがを圧力鍋で作るときの加圧時間は?|うちの会社の創立記念日っていつ?|昨日の巨人戦、どっちが勝った|花粉症で目がかゆくてたまらないんだけど|京都で紅葉がきれいな穴場を教えてください|「お手数をおかけします」を英語にして|隣の家の木の枝がはみ出してきたら切っていい?|退職願の文面を考えてほしい|布団がふっとんだ、みたいなやつもっとちょうだい|しりとりしよう。りんご|猫のイラスト描いて|"
        "新大阪までの指定席、窓側で取っといて|きのこ派?たけのこ派?|死んだらどこに行くんだろうね|読書感想文、走れメロスで800字お願い|あの俳優さん、再婚したって本当?|今年の中秋の名月は何日ですか|エクセルで行が勝手に非表示になるのはなぜでしょうか|この掃除機、前のモデルと何が違うんですか|パンはパンでも食べられないパンはなーんだ|うわっ|ねむ|でんしゃ おくれてる?|総務部の内線番号を知りたいのですが|味噌汁の具、何がいちばん合うかな|"
        "富士山って私有地なの?|JavaScriptで配列の重複を消すコード書いて|就業規則では副業はどういう扱いになっていますか|子どもが38度の熱、病院に行くべきか迷ってます|俳句をひとつ、お題は金魚|パスポートの更新に必要な書類は|消費税の増税についてどう思いますか|織田信長が好きだった食べ物とか残ってる記録ある?|Wi-Fiが二階だけ弱い|最近バズってるお菓子なに|沖縄の梅雨明けはいつ頃になりそうですか?|"
        "上司への謝罪メール、やわらかめの文体で頼む|月の裏側には何があるの|結婚式のご祝儀、友人ならいくら包むのが普通?|カレーが焦げついた鍋の洗い方|なんか曲かけて|社長の出身地どこだっけ|元カレから連絡きた、どうしよ|古文の「をかし」と「あはれ」の違いがわからん|桃太郎のあらすじを関西弁で語ってくれへん?|台風どこまで来てる|もし透明人間になれたら最初に何する?|クーリングオフは何日以内なら使えますか|ディズニーのチケット二枚予約|"
        "腰が痛い、湿布は温かいのと冷たいのどっち|日本で一番長い川は信濃川で合ってますか|スマホの画面が割れた、データだけでも救いたい|この色の在庫、Mサイズはまだありますか|やばい、鍵なくした|上は洪水、下は大火事、これなあに|今何時|ペンギンって膝あるの?|次の株主総会の会場はどこになりますか|人はなぜ働くのか|赤ちゃんの名前、春っぽい響きで候補ほしい|中国語で「会計してください」ってなんて言う|年末調整の書き方が毎年わからなくなる|"
        "ぬか床が酸っぱくなりすぎたんですけど復活できます?|選挙、どこに入れたらいいと思う|ドラマの最終回のネタバレ頼む|リトマス紙が赤くなるのは酸性とアルカリ性のどちらか答えなさい|水曜の会議、木曜にずらしておいて|好きな季節とその理由を聞かせて|犬にチョコ食べさせちゃった!|ソウル二泊三日、食べ歩き中心でプラン組める?|壁紙のカビ、何で落ちる|ブラウザのキャッシュってどうやって消すの|夏目漱石の本名は?|アンケートのお礼文、三行くらいで|ふわあ|"
        "きつねうどん|おすすめの推理小説、ただし人が死なないやつ|自転車で歩道を走ったら違反になりますか|御社の資本金はいくらですか|あのアイドルの卒業理由って結局なんだったの|オーロラはどういう仕組みで光るのでしょう|じゃんけん、最初はグー|夜中に足がつるのはミネラル不足?|履歴書の趣味欄に書けることが何もない|近くでうまいラーメン屋ない?|世界史の宿題で、オスマン帝国がなぜ衰えていったのかをノート半ページくらいにまとめないといけないんです|"
        "プリンターの紙詰まりが取れません|会議室Bの鍵は誰が持ってますか|友達に貸した一万円が返ってこない|空が青いのはなんで|ギターのFコードが押さえられなくて心が折れそう|ことしの ゆーきゃん りゅうこうごたいしょう なに|相続放棄の期限を過ぎてしまった場合はどうすれば|ピアノの絵文字ちょうだい|炊飯器で作れるケーキのレシピ、卵なしで|映画館のポップコーンてなんであんな高いん|来月の社員旅行の集合場所を忘れました|幸せって何だと思う?|"
        "「彼は走るのが速い」を敬語に直してください|タイの通貨なに|地震、いま揺れた?|引っ越しの挨拶品は何が無難でしょうか|カブトムシの幼虫が土から出てきちゃう|夫がまた靴下を裏返しで洗濯に出すんですけど!|ビットコインって今買い?|機種変更したら二段階認証のコードが届かなくなって、SNSにもネット銀行にも入れず途方に暮れています|短い怪談をひとつ語って|イルカは魚ですか、それとも哺乳類ですか|出前とって、親子丼|アマゾン川に住む変な生き物の話がききたい|"
        "定期券をなくした場合の再発行は可能ですか|でも、さっきのあれ|青い屋根の|眼鏡とコンタクト、どっちが目に優しい?|関ヶ原の戦いで西軍が負けた理由を簡潔に|卒業式の答辞、感動するやつ書いてくれませんか|洗剤の詰め替え用、いつ再入荷する?|あついあついあつい|豆腐の水切り、レンジでいける?|ゴミの分別で傘は何ゴミ|世界で一番小さい国はどこ|タクシー呼んで、駅まで|子猫を拾ったのですが、まず何をすればいいですか|首相がきのう会見で何を話したか要約して|"
        "義母から毎週のように電話がかかってきて正直しんどいのですが、角を立てずに減らしてもらうにはどう言えばいいでしょう|漢字の「凸」の書き順しりたい|ボーナスの支給日、去年より遅くない?|紫陽花の剪定時期を逃したかもしれない|火星に人は住めるようになりますか|この服、面接に着ていって大丈夫かな|電気つけて|交通事故の示談金、保険会社の言い値でいいの?|コーヒーを飲むと逆に眠くなるのは私だけ?|ホテルのちぇっくあうと なんじまで|"
        "部下が急に泣き出した時の声のかけ方|牛乳の賞味期限が三日すぎてた"
    ),
}


def draw(r: random.Random, lang: str, new: bool = False) -> Sample:
    return Sample(SKILL, lang, r.choice(NEW[lang]) if new else question(r, lang), ANSWER[lang])


def is_right(sample: Sample, answer: str) -> bool:
    return normalise(answer) == normalise(sample.answer)
