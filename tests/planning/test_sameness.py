import pytest

from integration.planning.sameness import is_same_by_kind


@pytest.mark.parametrize(
    ("kind", "one", "other", "ours", "theirs"),
    [
        # ours: the contact follows the card's very text; theirs: another spelling is nothing to
        # fight over
        ("text", "部長", "部長", True, True),
        ("text", "部長", "課長", False, False),
        ("text", "ＣＴＯ", "CTO", False, True),
        ("text", "㈱アクメ", "(株)アクメ", False, True),
        ("text", "ｱｸﾒ", "アクメ", False, True),
        ("text", "森  愛子", "森 愛子", False, True),
        ("text", "部長", " 部長\n", True, True),
        ("text", "一行\r\n二行", "一行\n二行", True, True),
        ("text", "cto", "CTO", False, False),
        ("phone", "03-1234-5678", "+81 3-1234-5678", False, True),
        ("phone", "03-1234-5678", "０３（１２３４）５６７８", False, True),
        ("phone", "03-1234-5678", "03-1234-5678 内線1", False, True),
        ("phone", "03-1234-5678", "03-1234-5679", False, False),
        ("email", "Aiko@acme.example.jp", "aiko@acme.example.jp", True, True),
        ("email", "ａｉｋｏ＠acme.example.jp", "aiko@acme.example.jp", True, True),
        ("email", "aiko@acme.example.jp", "ben@acme.example.jp", False, False),
        ("checkbox", "t1;t2", "t2;t1", True, True),
        ("checkbox", ";t1;", "t1", True, True),
        ("checkbox", "t1", "t1;t2", False, False),
        ("number", "10", "10.0", True, True),
        ("number", "1e3", "1000", True, True),
        ("number", "10", "ten", False, False),
        ("number", "ten", "ten", True, True),
        ("unheard of", "a", "a", True, True),
    ],
)
def test_same(kind, one, other, ours, theirs):
    assert is_same_by_kind(kind, one, other, ours=True) is ours
    assert is_same_by_kind(kind, other, one, ours=True) is ours
    assert is_same_by_kind(kind, one, other, ours=False) is theirs
    assert is_same_by_kind(kind, other, one, ours=False) is theirs
