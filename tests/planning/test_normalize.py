import pytest

from integration.planning.normalize import (
    is_email,
    normalize_company,
    normalize_email,
    normalize_name,
    normalize_phone,
    normalize_text,
)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("aiko@acme.example.jp", "aiko@acme.example.jp"),
        ("  Aiko.Mori@ACME.example.jp ", "aiko.mori@acme.example.jp"),
        ("ａｉｋｏ＠ａｃｍｅ．ｅｘａｍｐｌｅ．ｊｐ", "aiko@acme.example.jp"),
        ("aiko@acme.\u3000example.jp", "aiko@acme.example.jp"),
        ("aiko@acme.\nexample.jp", "aiko@acme.example.jp"),
        ("aiko @ acme.example.jp", "aiko@acme.example.jp"),
        ("", ""),
        ("代表", "代表"),
        # what a reader of cards puts beside it
        ("Taro Mihon taro11@example.co.jp", "taro11@example.co.jp"),
        ("Email taro0@example.co.jp", "taro0@example.co.jp"),
        ("E-mail:taro0@example.co.jp", "taro0@example.co.jp"),
        ("メール：taro0@example.co.jp", "taro0@example.co.jp"),
        ("taro2@example.co.jp Tokyo", "taro2@example.co.jp"),
        ("見本 太郎 <taro2@example.co.jp>", "taro2@example.co.jp"),
        ("taro2@example.co.jp.", "taro2@example.co.jp"),
        ("taro2@example.co.jp TARO2@example.co.jp", "taro2@example.co.jp"),
        # what nobody sees
        ("\u200btaro@example\u00ad.co.jp\ufeff", "taro@example.co.jp"),
        ("\u202ataro@example.co.jp\u202c", "taro@example.co.jp"),
        ("taro\u0000@example.co.jp", "taro@example.co.jp"),
        # international domains
        ("info@日本語.jp", "info@xn--wgv71a119e.jp"),
        ("taro@München.example.de", "taro@xn--mnchen-3ya.example.de"),
        ("taro@example。co。jp", "taro@example.co.jp"),
        ("info@xn--wgv71a119e.jp", "info@xn--wgv71a119e.jp"),
    ],
)
def test_email_is_folded_to_one_key(value, key):
    assert normalize_email(value) == key


@pytest.mark.parametrize(
    "value",
    [
        "taro. mihon@example.co.jp",
        "taro_ mihon@example.co.jp",
        "taro@example.co.jp hanako@example.co.jp",
        "taro@example.co.jp;hanako@example.co.jp",
        "taro mihon @",
        "見本太郎@example.co.jp",
        "info@日本語",
        "info@-日本語-.jp",
    ],
)
def test_what_may_be_another_address_is_none(value):
    assert not is_email(normalize_email(value))


@pytest.mark.parametrize(
    "key",
    [
        "aiko@acme.example.jp",
        "aiko+tag@acme.example.jp",
        "o'hara_1@a-b.example.jp",
        "a@xn--r8jz45g.xn--zckzah",
        "x" * 64 + "@acme.example.jp",
    ],
)
def test_an_address_a_contact_can_have(key):
    assert is_email(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "aiko",
        "aiko@",
        "@acme.example.jp",
        "aiko@acme",
        "aiko@@acme.example.jp",
        "aiko@acme..example.jp",
        "aiko..mori@acme.example.jp",
        "aiko@-acme.example.jp",
        "aiko@acme.example.1",
        "aiko@acme.example.jp;ben@acme.example.jp",
        "森@acme.example.jp",
        "Aiko@acme.example.jp",
        "x" * 250 + "@acme.example.jp",
    ],
)
def test_an_address_no_contact_can_have(key):
    assert not is_email(key)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("森", "愛子"), ("森 ", "愛\u3000子")),
        (("タナカ", "タロウ"), ("たなか", "たろう")),
        (("ﾀﾅｶ", "ﾀﾛｳ"), ("タナカ", "タロウ")),
        (("ｶﾞｿﾞｳ", ""), ("がぞう", "")),
        (("Ｏ’Ｈａｒａ", "Ｋｅｉ"), ("o'hara", "KEI")),
        (("スミス・ジョン", ""), ("スミス", "ジョン")),
        (("Smith-Jones", "A."), ("smith jones", "a")),
        (("髙橋", "一郎"), ("高橋", "一郎")),
        (("山﨑", ""), ("山崎", "")),
        (("渡邉", ""), ("渡辺", "")),
        (("渡邊", ""), ("渡辺", "")),
        (("齋藤", ""), ("斎藤", "")),
        (("齊藤", ""), ("斉藤", "")),
        (("濵田", ""), ("濱田", "")),
        (("𠮷田", ""), ("吉田", "")),
        (("葛\U000e0100城", ""), ("葛城", "")),
        (("辻\ufe00", ""), ("辻", "")),
        (("霞ヶ関", ""), ("霞ケ関", "")),
        (("八ヵ代", ""), ("八カ代", "")),
        (("森\u200b", "愛子"), ("森", "愛子")),
    ],
)
def test_names_that_are_the_same(one, other):
    assert normalize_name(*one) == normalize_name(*other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("森", "愛子"), ("森", "藍子")),
        (("斉藤", ""), ("斎藤", "")),
        (("伊藤", ""), ("伊東", "")),
        (("田中", ""), ("佃中", "")),
        (("ばば", ""), ("はは", "")),
        (("森", ""), ("", "")),
    ],
)
def test_names_that_differ(one, other):
    assert normalize_name(*one) != normalize_name(*other)


@pytest.mark.parametrize(
    "value",
    [
        "アクメ",
        "アクメ株式会社",
        "株式会社アクメ",
        "株式会社 アクメ",
        "㈱アクメ",
        "（株）アクメ",
        "(株) アクメ",
        "アクメ㍿",
        "ｱｸﾒ株式会社",
        "㈲アクメ",
        "アクメ有限会社",
        "合同会社アクメ",
        "ア・ク・メ",
    ],
)
def test_a_company_without_its_legal_form(value):
    assert normalize_company(value) == "アクメ"


@pytest.mark.parametrize(
    "value",
    [
        "Acme",
        "ACME Inc.",
        "Acme, Inc.",
        "Ａｃｍｅ　Ｃｏ．，Ｌｔｄ．",
        "Acme Co., Ltd.",
        "acme k.k.",
        "Acme KK",
        "ACME GmbH",
        "Acme Corporation",
        "Acme Limited",
    ],
)
def test_a_foreign_company_without_its_legal_form(value):
    assert normalize_company(value) == "acme"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("", ""),
        ("株式会社", ""),
        ("Incubate KK", "incubate"),
        ("Kkday", "kkday"),
        ("Companyline", "companyline"),
        ("株の学校", "株の学校"),
        ("一般社団法人さくら会", "さくら会"),
    ],
)
def test_a_legal_form_is_not_cut_out_of_a_word(value, key):
    assert normalize_company(value) == key


@pytest.mark.parametrize(
    ("value", "country", "key"),
    [
        ("03-1234-5678", "JP", "+81312345678"),
        ("03（1234）5678", "JP", "+81312345678"),
        ("０３－１２３４－５６７８", "JP", "+81312345678"),
        ("+81 3-1234-5678", "JP", "+81312345678"),
        ("+81 (0)3-1234-5678", "JP", "+81312345678"),
        ("03-1234-5678", "", "+81312345678"),
        ("090-1234-5678", "JP", "+819012345678"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("+1 212 555 0123", "JP", "+12125550123"),
        ("020 7946 0018", "gb", "+442079460018"),
        ("03-1234-5678 内線123", "JP", "+81312345678"),
        ("03-1234-5678（内線：123）", "JP", "+81312345678"),
        ("03-1234-5678 内線 １２３", "JP", "+81312345678"),
        ("03-1234-5678 ext. 12", "JP", "+81312345678"),
        ("03-1234-5678 x12", "JP", "+81312345678"),
        ("内線 4567", "JP", ""),
        ("", "JP", ""),
        ("   ", "JP", ""),
        ("代表", "JP", ""),
        ("03-1234-5678", "ZZ", "0312345678"),
    ],
)
def test_phone(value, country, key):
    assert normalize_phone(value, country) == key


@pytest.mark.parametrize(
    ("value", "key"),
    [("Ａ社\u3000 東京 ", "A社 東京"), ("ｱｲ\tｳ", "アイ ウ"), ("①課", "1課"), ("", "")],
)
def test_text_is_tidied(value, key):
    assert normalize_text(value) == key
