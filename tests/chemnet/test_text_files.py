"""One opener and one reader of numbers: any line end, byte-order mark, compression and notation."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.errors import DataError
from chemnet.text_files import data_lines, is_number, number, read_text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_alike_from_python_and_fortran(value):
    assert number(repr(value), "alpha", "a:1") == value
    assert number(f" {value!r} ".replace("e", "D"), "alpha", "a:1") == value


@given(st.floats(1.0, 9.99), st.integers(100, 307), st.sampled_from("+-"))
def test_an_exponent_of_three_places_needs_no_letter(mantissa, exponent, sign):
    assert number(f"{mantissa}{sign}{exponent}", "alpha", "a:1") == float(f"{mantissa}e{sign}{exponent}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.3D-17", 2.3e-17), ("1.0-100", 1e-100), ("1.d0", 1.0), (".5", 0.5), ("+5.", 5.0), ("10", 10.0)],
)
def test_every_notation_is_a_number(text, value):
    assert number(text, "alpha", "a:1") == value


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1e999", "1,5", "0x10", "two", "1_000", "10-100", "1.0-10", "1 0"]
)
def test_text_that_is_no_finite_number_is_refused_with_column_and_place(text):
    assert not is_number(text)
    with pytest.raises(DataError, match=r"net\.txt:3: alpha is '.*', which is no finite number"):
        number(text, "alpha", "net.txt:3")


def test_a_decimal_comma_is_named():
    with pytest.raises(DataError) as caught:
        number("1,5e-9", "alpha", "net.txt:3")
    assert "decimal point" in caught.value.hint


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n\ufeff\x00"), max_size=9), max_size=5
    )
)
def test_a_text_is_the_same_however_it_was_saved(tmp_path_factory, lines):
    path, plain = tmp_path_factory.mktemp("text") / "a.txt", "\n".join(lines)
    for content in (
        plain.encode(),
        b"\xef\xbb\xbf" + plain.encode(),
        "\r\n".join(lines).encode(),
        gzip.compress(plain.encode()),
        gzip.compress(b"\xef\xbb\xbf" + "\r\n".join(lines).encode()),
    ):
        path.write_bytes(content)
        assert read_text(path) == plain


def test_comments_blanks_and_empty_rows_are_skipped_and_numbers_of_lines_kept(tmp_path: Path):
    path = tmp_path / "net.txt"
    path.write_text("# a\n\n  ! b\nfirst  \n  \n,,,\nsecond\r\n;;\t\n", encoding="utf-8")
    assert data_lines(path, ("#", "!")) == [(4, "first  "), (7, "second")]


def test_bytes_that_are_no_utf8_do_not_stop_a_reader(tmp_path: Path):
    path = tmp_path / "net.txt"
    path.write_bytes(b"H:\xe9\n")
    assert [line for line, _ in data_lines(path, ("#",))] == [1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused_by_name(tmp_path: Path, encoding: str):
    path = tmp_path / "net.txt"
    path.write_text("H,H,H2 and some more", encoding=encoding)
    with pytest.raises(DataError, match=r"net\.txt: the text is in UTF-16") as caught:
        read_text(path)
    assert "UTF-8" in caught.value.hint


def test_a_truncated_archive_and_a_missing_file_say_so(tmp_path: Path):
    path = tmp_path / "net.txt.gz"
    path.write_bytes(gzip.compress(b"H" * 9999)[:20])
    for place in (path, tmp_path / "absent"):
        with pytest.raises(DataError, match="cannot be read"):
            read_text(place)
