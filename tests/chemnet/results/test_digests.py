"""Digests of files and of whole results."""

import hashlib

import pytest
import xxhash

from chemnet.results.digests import FileRecord, combined_digest, file_digest, record_files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "latents.npy"
    path.write_bytes(b"chemistry " * 60_000)
    return path


def test_a_files_digest_names_its_algorithm(file):
    assert file_digest(file) == f"xxh3_128:{xxhash.xxh3_128_hexdigest(file.read_bytes())}"


def test_a_record_describes_its_file_and_no_other(file):
    record = FileRecord(file.stat().st_size, file_digest(file))
    assert record.describes(file)
    file.write_bytes(b"Chemistry " * 60_000)
    assert not record.describes(file)
    file.write_bytes(b"short")
    assert not record.describes(file)


def test_digests_of_older_results_still_hold(file):
    content = file.read_bytes()
    for older in (
        hashlib.blake2b(content, digest_size=16).hexdigest(),
        f"sha256:{hashlib.sha256(content).hexdigest()}",
    ):
        assert FileRecord(len(content), older).describes(file)
        assert not FileRecord(len(content), f"{older[:-1]}{'1' if older[-1] == '0' else '0'}").describes(file)


def test_the_description_of_a_result_is_not_part_of_its_digest(tmp_path, file):
    before = combined_digest(record_files(tmp_path))
    (tmp_path / "runtime_config.toml").write_text("[general]\n")
    assert combined_digest(record_files(tmp_path)) == before
    (tmp_path / "more.npy").write_bytes(b"1")
    assert combined_digest(record_files(tmp_path)) != before


def test_files_that_live_carry_no_digest(tmp_path, file):
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "chroma.sqlite3").write_bytes(b"rows")
    assert list(record_files(tmp_path, living=("database",))) == ["latents.npy"]
