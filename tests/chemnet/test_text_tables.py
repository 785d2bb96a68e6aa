"""Tables keep their cells whatever is in them."""

from __future__ import annotations

from chemnet.text_tables import aligned, html_table, markdown_table

TABLE = [["", "mLAE"], ["a|b & <c>", "0.1"], ["d", "12.25"]]


def test_text_is_aligned_first_column_left_others_right() -> None:
    assert aligned(TABLE) == ["              mLAE", "  a|b & <c>    0.1", "  d          12.25"]


def test_signs_of_markdown_and_html_are_escaped() -> None:
    assert markdown_table(TABLE) == [
        "|  | mLAE |",
        "| --- | ---: |",
        "| a\\|b & <c> | 0.1 |",
        "| d | 12.25 |",
    ]
    assert "<td>a|b &amp; &lt;c&gt;</td><td>0.1</td>" in html_table(TABLE)
