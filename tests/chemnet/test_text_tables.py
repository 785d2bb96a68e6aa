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
    page = html_table(TABLE, {"mLAE": 'mean "error"', "d": "a row"}.get)
    assert '<th title="mean &quot;error&quot;">mLAE</th>' in page
    assert '<td title="a row">d</td><td>12.25</td>' in page
    assert "<td>a|b &amp; &lt;c&gt;</td><td>0.1</td>" in html_table(TABLE)
