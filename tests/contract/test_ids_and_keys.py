"""Ids and API keys: shape, chance, checksum, mask."""

import hashlib
import re
import string

import pytest

from runs.contract import ids, keys


@pytest.mark.parametrize(
    "prefix", ["asst", "thread", "msg", "run", "step", "call", "proj", "key", "req"]
)
def test_an_id_is_its_prefix_and_24_letters_and_digits(prefix):
    assert re.fullmatch(rf"{prefix}_[A-Za-z0-9]{{24}}", ids.new_id(prefix))


def test_ids_do_not_repeat_and_use_the_whole_alphabet():
    made = {ids.new_id("run") for _ in range(5000)}
    assert len(made) == 5000
    assert set("".join(made)) == set(string.ascii_letters + string.digits + "_")


def test_ids_have_no_order():
    made = [ids.new_id("run") for _ in range(50)]
    assert made not in (sorted(made), sorted(made, reverse=True))


#: CRC32 (zlib) in base 62, digits a-z A-Z 0-9, most significant first.
CHECKSUMS = {"": "aaaaaa", "a": "eqorux", "rsk_live_": "dOgOwV", "123456789": "dTJBwo"}


@pytest.mark.parametrize(("text", "check"), CHECKSUMS.items())
def test_checksum_vectors(text, check):
    assert keys.checksum(text) == check


def test_a_key_has_its_shape():
    assert re.fullmatch(r"rsk_live_[A-Za-z0-9]{38}", keys.make_key())
    assert not keys.looks_wrong(keys.make_key())


def test_keys_do_not_repeat():
    assert len({keys.make_key() for _ in range(1000)}) == 1000


def test_every_change_of_one_character_is_noticed():
    key = keys.make_key()
    for place in range(len(keys.PREFIX), len(key)):
        for other in set(ids.ALPHABET) - {key[place]}:
            assert keys.looks_wrong(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key + "a",
        lambda key: key[: len(keys.PREFIX)],
        lambda key: key.swapcase().replace("RSK_LIVE_", keys.PREFIX),
        lambda key: key[:20] + "é" + key[21:],
        lambda key: key[:20] + "\0" + key[21:],
    ],
    ids=["short", "long", "prefix alone", "swapped case", "accent", "NUL"],
)
def test_a_spoiled_key_is_noticed(spoil):
    assert keys.looks_wrong(spoil(keys.make_key()))


def test_a_key_of_the_operators_own_making_is_not_judged():
    assert not keys.looks_wrong("my-own-key-of-some-forty-characters-0000")


def test_digest_is_sha256_and_takes_any_text():
    assert keys.digest("abc") == hashlib.sha256(b"abc").hexdigest()
    assert len(keys.digest("é\ud800\0")) == 64


def test_the_mask_never_shows_the_middle():
    key = keys.make_key()
    shown = keys.mask(key)
    assert shown == f"{key[:6]}***{key[-4:]}"
    assert not any(key[i : i + 5] in shown for i in range(6, len(key) - 5))


@pytest.mark.parametrize("key", ["", "a", "x" * 15])
def test_the_mask_of_a_short_key_shows_nothing_of_it(key):
    assert keys.mask(key) == "*" * len(key)
