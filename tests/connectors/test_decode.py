"""A broken character costs the character, never the page that it stands on."""

import orjson
import pytest

from integration.connectors.decode import decode_json


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b'{"a": "b"}', {"a": "b"}, id="nothing broken"),
        pytest.param(rb'{"a": "b\u0000c"}', {"a": "bc"}, id="NUL"),
        pytest.param(rb'{"a\u0000": ["\u0000b"]}', {"a": ["b"]}, id="NUL in a name and in a list"),
        pytest.param(rb'{"a": "b\ud83dc"}', {"a": "bc"}, id="the first half of a pair"),
        pytest.param(rb'{"a": "b\uDE00c"}', {"a": "bc"}, id="the second half of a pair"),
        pytest.param(rb'{"a": "\ud83d\ude00"}', {"a": "\U0001f600"}, id="a whole pair"),
        pytest.param(b'{"a": "b\xed\xa0\xbdc"}', {"a": "bc"}, id="half a pair as bytes"),
        pytest.param(b'{"a": "b\xff"}', {"a": "b"}, id="no UTF-8"),
        pytest.param(rb'{"a": "\\u0000"}', {"a": "\\u0000"}, id="only the text of an escape"),
    ],
)
def test_what_is_broken_is_left_out(content, value):
    assert decode_json(content) == value


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b'{"a": ',
        rb'{"a": "\u0000',
        rb'{"a": NaN, "b": "\u0000"}',
        rb'["\u0000", ' + b"[" * 100_000,
        b'["\xff", ' + b"[" * 100_000,
    ],
    ids=["a page", "cut off", "cut off behind NUL", "NaN", "deep", "deep and broken"],
)
def test_what_is_no_json_is_refused(content):
    with pytest.raises(ValueError):
        decode_json(content)


def test_what_is_decoded_can_be_stored():
    assert orjson.dumps(decode_json(rb'["\ud800\u0000\udfff"]')) == b'[""]'
