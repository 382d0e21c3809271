from __future__ import annotations

from adabldm.networks import small

TEXTS = ["a metal with a blowhole", "a metal with a crack", "a metal with a scratch"] * 8


def test_any_text_can_be_encoded_without_unknown_tokens():
    tokenizer = small.build_tokenizer(["a magnetic tile with a crack"] * 10, merges=30)
    for text in ("a magnetic tile", "Zebra quartz! 42", "Schraube für Müller"):
        ids = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in ids[1:-1], text
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == (
            text.lower().replace(" ", "")
        )


def test_the_same_texts_give_the_same_tokenizer_and_common_words_one_token():
    one = small.build_tokenizer(TEXTS)
    assert all(one.get_vocab() == small.build_tokenizer(TEXTS).get_vocab() for _ in range(20))
    assert len(one("metal").input_ids) == 3
    assert len(one("crack").input_ids) == 3
