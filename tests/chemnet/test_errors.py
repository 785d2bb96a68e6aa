"""Hints: near misses where there are any, and never a flood of names."""

from chemnet.errors import nearest, suggest


def test_near_misses_ignore_case_and_come_best_first():
    assert nearest("adam", ["Adam", "AdamW", "SGD"]) == ["Adam", "AdamW"]
    assert nearest("xyz", ["Adam", "SGD"]) == []


def test_few_words_are_listed_beside_the_near_miss():
    assert suggest("trian", ["train", "infer"]) == "did you mean 'train'? (all: infer, train)"
    assert suggest("xyz", ["train", "infer"]) == "allowed: infer, train"
    assert suggest("xyz", []) == ""


def test_many_words_are_cut():
    names = [f"species{number:03}" for number in range(300)]
    assert "(all:" not in suggest("species00", names)
    assert suggest("xyz", names).endswith("species019, ... (300 in all)")
