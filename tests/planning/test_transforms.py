import pytest

from integration.planning.transforms import TRANSFORMS


@pytest.mark.parametrize(
    ("name", "parts", "country", "value"),
    [
        ("", ["ＡＢＣ　部"], "", "ＡＢＣ　部"),
        ("", ["港区", "", "1-2-3"], "", "港区 1-2-3"),
        ("", [], "", ""),
        ("text", [" ＡＢＣ　部 "], "", "ABC 部"),
        ("text", ["ｶﾌﾞ", "ｼｷ"], "", "カブ シキ"),
        ("email", ["Ａｉｋｏ＠acme.example.jp "], "", "aiko@acme.example.jp"),
        ("email", ["aiko at acme"], "", ""),
        ("email", [""], "", ""),
        ("phone", ["03-1234-5678"], "", "+81312345678"),
        ("phone", ["03-1234-5678"], "JP", "+81312345678"),
        ("phone", ["(212) 555-0123"], "us", "+12125550123"),
        ("phone", ["03-1234-5678 内線 9"], "JP", "+81312345678"),
        ("phone", [""], "JP", ""),
        ("upper", ["jp"], "", "JP"),
        ("lower", ["WWW.Example.JP"], "", "www.example.jp"),
        ("joined", ["東京都", "港区", "", "1-2-3"], "", "東京都港区1-2-3"),
        ("date", ["2026-04-01"], "", "2026-04-01"),
        ("date", ["2026-04-01T09:00:00+09:00"], "", "2026-04-01"),
        ("date", ["2026-02-30"], "", ""),
        ("date", ["春ごろ"], "", ""),
        ("date", [""], "", ""),
    ],
)
def test_transform(name, parts, country, value):
    assert TRANSFORMS[name](parts, country) == value


@pytest.mark.parametrize("name", TRANSFORMS)
def test_blank_in_blank_out(name):
    assert TRANSFORMS[name](["", ""], "") == ""
