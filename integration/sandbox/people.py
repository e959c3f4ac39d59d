"""Invented business cards: nobody here exists, no number is in use, every domain is a reserved one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

LAST_NAMES = [
    ("佐藤", "サトウ", "sato"),
    ("鈴木", "スズキ", "suzuki"),
    ("高橋", "タカハシ", "takahashi"),
    ("田中", "タナカ", "tanaka"),
    ("伊藤", "イトウ", "ito"),
    ("渡辺", "ワタナベ", "watanabe"),
    ("山本", "ヤマモト", "yamamoto"),
    ("中村", "ナカムラ", "nakamura"),
    ("小林", "コバヤシ", "kobayashi"),
    ("加藤", "カトウ", "kato"),
    ("吉田", "ヨシダ", "yoshida"),
    ("山田", "ヤマダ", "yamada"),
    ("佐々木", "ササキ", "sasaki"),
    ("山口", "ヤマグチ", "yamaguchi"),
    ("松本", "マツモト", "matsumoto"),
    ("井上", "イノウエ", "inoue"),
    ("木村", "キムラ", "kimura"),
    ("林", "ハヤシ", "hayashi"),
    ("斎藤", "サイトウ", "saito"),
    ("清水", "シミズ", "shimizu"),
]
FIRST_NAMES = [
    ("太郎", "タロウ", "taro"),
    ("花子", "ハナコ", "hanako"),
    ("健一", "ケンイチ", "kenichi"),
    ("美咲", "ミサキ", "misaki"),
    ("大輔", "ダイスケ", "daisuke"),
    ("愛", "アイ", "ai"),
    ("翔太", "ショウタ", "shota"),
    ("さくら", "サクラ", "sakura"),
    ("誠", "マコト", "makoto"),
    ("陽子", "ヨウコ", "yoko"),
    ("直樹", "ナオキ", "naoki"),
    ("恵", "メグミ", "megumi"),
    ("拓也", "タクヤ", "takuya"),
    ("由美", "ユミ", "yumi"),
    ("隆", "タカシ", "takashi"),
    ("結衣", "ユイ", "yui"),
]
COMPANY_NAMES = [
    "見本商事",
    "青空電機",
    "みどり物産",
    "東都システム",
    "北斗建設",
    "さくら印刷",
    "ひかり食品",
    "大和精機",
    "あさひ運輸",
    "未来デザイン",
    "ＡＢＣソリューションズ",
    "Ｎｅｘｔテック",
    "若葉製薬",
    "富士見不動産",
    "白川繊維",
    "千代田計測",
    "みなと貿易",
    "朝霧農園",
    "銀河通信",
    "ことり出版",
]
COMPANY_NAME_FORMS = [
    "株式会社{}",
    "{}株式会社",
    "（株）{}",
    "㈱{}",
    "有限会社{}",
    "合同会社{}",
    "{} Inc.",
]
DEPARTMENTS = [
    "営業部",
    "開発本部",
    "総務部",
    "経営企画室",
    "人事部",
    "情報システム部",
    "マーケティング部",
    "第一営業課",
    "",
    "購買部",
]
JOB_TITLES = [
    "部長",
    "課長",
    "主任",
    "代表取締役",
    "係長",
    "マネージャー",
    "",
    "取締役",
    "Engineer",
    "担当",
]
PLACES = [
    ("100-0001", "東京都", "千代田区", "見本町"),
    ("530-0001", "大阪府", "大阪市北区", "見本"),
    ("460-0008", "愛知県", "名古屋市中区", "例"),
    ("812-0011", "福岡県", "福岡市博多区", "見本前"),
    ("060-0001", "北海道", "札幌市中央区", "北見本西"),
    ("980-0021", "宮城県", "仙台市青葉区", "例示"),
    ("220-0012", "神奈川県", "横浜市西区", "みほん"),
    ("600-8001", "京都府", "京都市下京区", "例示通"),
]
MEMOS = ["", "", "", "", "展示会で名刺交換", "来月あらためて訪問", "資料送付済み"]
WIDE_DIGITS = str.maketrans("0123456789-", "０１２３４５６７８９－")


def make_hex_id(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032X}"


def invent_phone(rng: random.Random, prefix: str) -> str:
    """A number from a block that is not given out, in one of the ways that cards print it."""
    number = f"{prefix}-0000-{rng.randrange(10_000):04d}"
    style = rng.randrange(8)
    if style == 0:
        return number.translate(WIDE_DIGITS)
    if style == 1:
        return f"+81-{number[1:]}"
    if style == 2 and prefix == "03":
        return f"{number}（内線{rng.randrange(100, 999)}）"
    return number


def invent_cards(
    n: int,
    seed: int,
    tags: list[dict[str, Any]],
    now: datetime,
    shared: float = 5.0,
    blank: float = 10.0,
) -> Iterator[dict[str, Any]]:
    """``n`` cards; ``shared`` per cent carry the address of an earlier card, ``blank`` per cent
    none.

    Of the shared, four in five are the same person with another card, the rest other people at one
    mailbox.
    """
    rng = random.Random(seed)
    owners = [
        {
            "id": f"10{i:02d}",
            "name": f"{LAST_NAMES[i][0]} {FIRST_NAMES[i][0]}",
            "email": f"{LAST_NAMES[i][2]}@acme.example.jp",
        }
        for i in range(5)
    ]
    earlier: list[dict[str, Any]] = []
    for i in range(n):
        card = invent_card(rng, i, owners, now)
        roll = rng.random() * 100
        if roll < shared and earlier:
            share_address(rng, card, rng.choice(earlier))
        elif roll < shared + blank:
            card["email"] = None
        elif len(earlier) < 5000 or rng.random() < 0.05:
            earlier.append(card)
        card["tags"] = rng.sample(tags, k=min(rng.choice((0, 1, 1, 2, 3)), len(tags)))
        yield card


def share_address(rng: random.Random, card: dict[str, Any], other: dict[str, Any]) -> None:
    card["email"] = other["email"]
    if rng.random() < 0.8:
        for name in ("personId", "lastName", "firstName", "lastNameReading", "firstNameReading"):
            card[name] = other[name]
        if rng.random() < 0.6:
            card["companyName"], card["companyId"] = other["companyName"], other["companyId"]
        if rng.random() < 0.3:
            card["fax"] = card["mobile"] = None


def invent_card(
    rng: random.Random, i: int, owners: list[dict[str, Any]], now: datetime
) -> dict[str, Any]:
    last, first, company = (
        rng.choice(LAST_NAMES),
        rng.choice(FIRST_NAMES),
        rng.randrange(len(COMPANY_NAMES)),
    )
    branch = rng.randrange(400)
    domain = f"{company:02d}-{branch}.example.jp"
    place = rng.choice(PLACES)
    block = f"{rng.randrange(1, 6)}-{rng.randrange(1, 30)}-{rng.randrange(1, 20)}"
    building = rng.choice(["見本ビル3F", "サンプルタワー 12階", "", "", "例示会館"])
    updated = now - timedelta(seconds=rng.randrange(7200, 200 * 86_400))
    exchanged = (updated - timedelta(days=rng.randrange(0, 900))).date()
    return {
        "id": make_hex_id(rng),
        "companyId": f"{company * 1000 + branch:032X}",
        "personId": make_hex_id(rng),
        "exchangeDate": exchanged.isoformat() if rng.random() > 0.03 else None,
        "registeredTime": updated - timedelta(hours=rng.randrange(1, 48)),
        "updatedTime": updated.replace(microsecond=0),
        "owner": rng.choice(owners),
        "lastName": last[0],
        "firstName": first[0],
        "lastNameReading": last[1],
        "firstNameReading": first[1],
        "departmentName": rng.choice(DEPARTMENTS) or None,
        "title": rng.choice(JOB_TITLES) or None,
        "email": f"{first[2]}.{last[2]}{i}@{domain}",
        "mobile": invent_phone(rng, "090") if rng.random() < 0.7 else None,
        "companyName": rng.choice(COMPANY_NAME_FORMS).format(COMPANY_NAMES[company]),
        "countryCode": "JP",
        "postalCode": place[0],
        "address": f"{place[1]}{place[2]}{place[3]}{block} {building}".strip(),
        "prefecture": place[1],
        "city": place[2],
        "street": f"{place[3]}{block}",
        "building": building or None,
        "tel": invent_phone(rng, "03"),
        "secondTel": None,
        "fax": f"03-0000-{rng.randrange(10_000):04d}" if rng.random() < 0.5 else None,
        "url": f"https://{domain}",
        "memo": rng.choice(MEMOS) or None,
        "entryStatus": "completed",
        "tags": [],
        "past": False,
        "hidden": False,
    }


def invent_tags(n: int) -> list[dict[str, Any]]:
    """``n`` tags that everybody sees, and three private ones."""
    names = [
        "展示会2026",
        "VIP",
        "見込み客",
        "既存顧客",
        "代理店",
        "東京",
        "大阪",
        "セミナー参加",
        "休眠",
        "パートナー",
        "メディア",
        "採用",
    ]
    owner = {"id": "1000", "name": "佐藤 太郎"}
    seen = [
        {
            "id": f"T{i:04d}",
            "name": names[i] if i < len(names) else f"タグ{i}",
            "type": "shared" if i % 2 else "public",
            "owner": owner,
        }
        for i in range(n)
    ]
    return seen + [
        {"id": f"P{i:04d}", "name": f"個人メモ{i}", "type": "private", "owner": owner}
        for i in range(3)
    ]


def read_utc_clock() -> datetime:
    return datetime.now(UTC)
