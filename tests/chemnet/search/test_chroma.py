"""The Chroma database keeps the contract of a vector database, embedded and without calling home."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import wait_for
from processes import free_port

from chemnet.config import load_config
from chemnet.errors import NotFoundError, ResultsError
from chemnet.search.chroma import ChromaDatabase

VECTORS = np.random.default_rng(2).random((60, 4), dtype=np.float32)
IDS = [f"t-{step}" for step in range(60)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A closed database of sixty vectors."""
    path = tmp_path_factory.mktemp("database")
    database = ChromaDatabase(load_config(), path).create(4)
    for start in range(0, 60, 25):
        database.insert(IDS[start : start + 25], VECTORS[start : start + 25])
    database.close()
    return path


@pytest.fixture
def database(filled):
    """The database, opened again."""
    opened = ChromaDatabase(load_config(), filled).connect()
    yield opened
    opened.close()


def test_everything_inserted_is_there_after_reopening(database):
    assert len(database) == 60
    np.testing.assert_array_equal(database.get_by_id("t-33"), VECTORS[33])


def test_the_nearest_come_first_with_euclidean_distances(database):
    found = database.search_by_vector(VECTORS[10], k=5)
    distances = np.linalg.norm(VECTORS - VECTORS[10], axis=1)
    assert found.ids == tuple(IDS[row] for row in np.argsort(distances)[:5])
    np.testing.assert_allclose(found.distances, np.sort(distances)[:5], atol=1e-6)


def test_a_stored_state_is_its_own_nearest(database):
    found = database.search_by_id("t-7", k=3)
    assert (found.ids[0], len(found)) == ("t-7", 3)
    assert found.distances[0] == pytest.approx(0.0, abs=1e-6)


def test_more_neighbours_than_states_are_all_states(database):
    assert len(database.search_by_vector(VECTORS[0], k=1000)) == 60


def test_an_unknown_id_is_not_found(database):
    with pytest.raises(NotFoundError, match="no state 'x-1'"):
        database.get_by_id("x-1")


def test_a_folder_without_a_collection_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="holds no Chroma collection"):
        ChromaDatabase(load_config(), tmp_path).connect()


def test_a_collection_that_is_gone_is_refused(filled, tmp_path):
    (tmp_path / "collection.json").write_bytes((filled / "collection.json").read_bytes())
    with pytest.raises(ResultsError, match="is gone"):
        ChromaDatabase(load_config(), tmp_path).connect()


def test_a_server_that_does_not_answer_is_named(tmp_path):
    config = load_config().replace({"vector_db.chromadb.host": "localhost", "vector_db.chromadb.port": 9})
    with pytest.raises(ResultsError, match="no Chroma server answers at localhost:9"):
        ChromaDatabase(config, tmp_path).create(4)


@pytest.fixture
def server(tmp_path):
    """A Chroma server of this machine: the configuration that names it, and its process."""
    port = free_port()
    command = [
        Path(sys.executable).with_name("chroma"),
        "run",
        "--path",
        tmp_path / "server",
        "--port",
        str(port),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--host", "127.0.0.1"], **quiet)
    try:
        wait_for(lambda: _listens(port), process)
        place = {"vector_db.chromadb.host": "127.0.0.1", "vector_db.chromadb.port": port}
        yield load_config().replace(place), process
    finally:
        process.kill()
        process.wait()


def _listens(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


# Chroma leaves its connections to a server to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_keeps_what_was_inserted_and_finds_it_again(server, tmp_path):
    config, _ = server
    database = ChromaDatabase(config, tmp_path).create(4)
    database.insert(IDS, VECTORS)
    database.close()
    again = ChromaDatabase(config, tmp_path).connect()
    assert len(again) == 60
    np.testing.assert_array_equal(again.get_by_id("t-33"), VECTORS[33])
    found = again.search_by_vector(VECTORS[10], k=5)
    distances = np.linalg.norm(VECTORS - VECTORS[10], axis=1)
    assert found.ids == tuple(IDS[row] for row in np.argsort(distances)[:5])
    again.close()
    gc.collect()
    assert not (tmp_path / "chroma.sqlite3").exists(), "nothing is embedded"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_goes_in_the_middle_is_told(server, tmp_path):
    config, process = server
    database = ChromaDatabase(config, tmp_path).create(4)
    database.insert(IDS[:30], VECTORS[:30])
    process.kill()
    process.wait()
    with pytest.raises(ResultsError, match=r"the Chroma server at 127\.0\.0\.1:\d+ failed: "):
        database.insert(IDS[30:], VECTORS[30:])
    database.close()
    gc.collect()


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from chemnet.config import load_config
from chemnet.search.chroma import ChromaDatabase
folder, name = Path(sys.argv[1]), sys.argv[2]
(folder / name).mkdir()
config = load_config().replace({"vector_db.path": str(folder / "shared")})
while len(list(folder.glob("writer*"))) < 2:
    time.sleep(0.001)
database = ChromaDatabase(config, folder / name).create(4)
vectors = np.full((50, 4), float(name[-1]), dtype=np.float32)
for first in range(0, 200, 50):
    database.insert([f"{name}-{first + i}" for i in range(50)], vectors)
database.close()
"""


def test_two_writers_to_one_folder_mix_nothing(tmp_path):
    (tmp_path / "shared").mkdir()
    names = ("writer1", "writer2")
    pair = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, name], stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    told = [process.communicate()[1] for process in pair]
    for name, process, words in zip(names, pair, told, strict=True):
        if process.returncode:  # SQLite lets one writer wait for five seconds: who is told so begins again
            assert "database is locked" in words, words
            shutil.rmtree(tmp_path / name)
            subprocess.run([sys.executable, "-c", WRITER, tmp_path, name], check=True)
    config = load_config().replace({"vector_db.path": str(tmp_path / "shared")})
    for name in names:
        database = ChromaDatabase(config, tmp_path / name).connect()
        assert len(database) == 200
        np.testing.assert_array_equal(database.get_by_id(f"{name}-150"), np.full(4, float(name[-1])))
        found = database.search_by_vector(np.zeros(4, dtype=np.float32), k=200)
        assert {one.partition("-")[0] for one in found.ids} == {name}
        database.close()


def test_an_embedded_database_may_stand_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "result").mkdir()
    config = load_config().replace({"vector_db.path": str(tmp_path / "shared")})
    database = ChromaDatabase(config, tmp_path / "result").create(4)
    database.insert(IDS[:3], VECTORS[:3])
    database.close()
    again = ChromaDatabase(config, tmp_path / "result").connect()
    assert len(again) == 3
    again.close()
    assert (tmp_path / "shared" / "chroma.sqlite3").is_file()
    with pytest.raises(ResultsError, match="your configuration does not name") as caught:
        ChromaDatabase(load_config(), tmp_path / "result").connect()
    assert caught.value.hint == f"if it is yours, set vector_db.path={tmp_path / 'shared'}"


def plant(result, **changes):
    """Let a result name another place, as somebody would who wants this machine to go there."""
    file = result / "collection.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_host_that_only_the_result_names_is_never_called(filled, tmp_path):
    result = shutil.copytree(filled, tmp_path / "result")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        plant(result, host="127.0.0.1", port=listener.getsockname()[1])
        with pytest.raises(ResultsError, match=r"collection\.json says that the database is at 127\.0\.0\.1"):
            ChromaDatabase(load_config(), result).connect()
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_folder_that_only_the_result_names_is_neither_made_nor_read(filled, tmp_path):
    result = shutil.copytree(filled, tmp_path / "result")
    for folder in (tmp_path / "new", filled / "database"):
        plant(result, folder=str(folder))
        with pytest.raises(ResultsError, match="nothing was opened"):
            ChromaDatabase(load_config(), result).connect()
    assert not (tmp_path / "new").exists()


def test_files_stay_inside_the_result(filled, tmp_path):
    result = shutil.copytree(filled, tmp_path / "result")
    shutil.rmtree(result / "database")
    (result / "database").symlink_to(filled / "database")
    with pytest.raises(ResultsError, match="leads out of the result"):
        ChromaDatabase(load_config(), result).connect()


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00"])
def test_a_damaged_note_is_named(filled, tmp_path, text):
    (tmp_path / "collection.json").write_text(text)
    with pytest.raises(ResultsError, match=r"collection\.json is damaged"):
        ChromaDatabase(load_config(), tmp_path).connect()


@pytest.mark.parametrize("damage", ["zeros", "cut", "text"])
def test_broken_files_are_told_in_plain_words(filled, tmp_path, damage):
    result = shutil.copytree(filled, tmp_path / "result")
    for file in (result / "database").rglob("*"):
        if file.is_file():
            size = file.stat().st_size
            content = {"zeros": bytes(size), "cut": file.read_bytes()[: size // 3], "text": b"no database"}
            file.write_bytes(content[damage])

    def search():
        ChromaDatabase(load_config(), result).connect().search_by_vector(VECTORS[0], k=3)

    with pytest.raises(ResultsError, match=f"{result}") as caught:
        search()
    assert "save_to_database" in caught.value.hint
