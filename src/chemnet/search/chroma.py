"""ChromaDB as the vector database: embedded in the result directory, or on a server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from chemnet.config import ConfigDict
from chemnet.errors import ChemNetError, NotFoundError, ResultsError
from chemnet.extras import require
from chemnet.registry import VECTOR_DBS
from chemnet.results.locks import one_at_a_time
from chemnet.search.vector_database import Matches, VectorDatabase

COLLECTION_FILE = "collection.json"


@VECTOR_DBS.register(name="chromadb")
class ChromaDatabase(VectorDatabase):
    """A Chroma collection of latents.

    Embedded by default; ``vector_db.chromadb.host`` names a server instead. No embedding function is set
    (Chroma's default would be downloaded) and telemetry is off.
    """

    _client: Any = None
    _collection: Any = None

    @property
    def batch_size(self) -> int:
        """Rows that Chroma takes in one call."""
        return int(self._client.get_max_batch_size())

    @property
    def _table(self) -> ConfigDict:
        return self.config["vector_db"]["chromadb"]

    def create(self, latent_dim: int) -> Self:
        """Make an empty collection and note where it stands."""
        folder = self.config["vector_db"]["path"]
        place = {
            "collection": f"chemnet-{uuid.uuid4().hex}",
            "host": self._table["host"],
            "port": self._table["port"],
            "folder": folder,
            "latent_dim": latent_dim,
        }
        self._client = self._open_alone(Path(folder or self.path / self.living_folder))
        graph = {name: self._table[name] for name in ("ef_construction", "max_neighbors", "ef_search")}
        self._collection = self._client.create_collection(
            place["collection"], embedding_function=None, configuration={"hnsw": {"space": "l2", **graph}}
        )
        (self.path / COLLECTION_FILE).write_text(json.dumps(place, indent=1) + "\n", encoding="utf-8")
        return self

    def connect(self) -> Self:
        """Open the collection: on the server that the configuration names, else in its folder.

        A server or a folder that only the result names is left alone, since anybody may have made the result.
        """
        require("chromadb", "vector_db.name = 'chromadb'")
        from chromadb.errors import NotFoundError as ChromaNotFoundError

        noted = self._noted()
        self._client = self._open_client(self.path if self._table["host"] else self._folder(noted))
        try:
            with self._in_plain_words():
                self._collection = self._client.get_collection(noted["collection"], embedding_function=None)
        except ChromaNotFoundError as error:
            raise self._gone(f"no collection {noted['collection']}") from error
        return self

    @contextmanager
    def _in_plain_words(self) -> Iterator[None]:
        """Turn what Chroma and its Rust core raise over broken files into a `ResultsError`."""
        from chromadb.errors import NotFoundError as ChromaNotFoundError

        try:
            yield
        except (ChemNetError, ChromaNotFoundError):
            raise
        except BaseException as error:
            # a panic of Rust is no Exception
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            if self._table["host"]:
                raise ResultsError(
                    f"the Chroma server at {self._table['host']}:{self._table['port']} failed: {told}",
                    hint="see whether it runs; then do the same again",
                ) from error
            raise ResultsError(
                f"the Chroma database of {self.path} cannot be read: {told}",
                hint="run `chemnet save_to_database` again; lookup.search=exact needs no database",
            ) from error

    def _noted(self) -> dict[str, Any]:
        """Return what `create` noted: the collection's name and where it was made."""
        file = self.path / COLLECTION_FILE
        if not file.is_file():
            raise ResultsError(
                f"{self.path} holds no Chroma collection", hint="run `chemnet save_to_database`"
            )
        try:
            noted = json.loads(file.read_text(encoding="utf-8"))
            return {name: noted[name] for name in ("collection", "host", "port", "folder")}
        except (ValueError, KeyError, TypeError) as error:
            raise ResultsError(
                f"{file} is damaged: {error}", hint="run `chemnet save_to_database` again"
            ) from error

    def _folder(self, noted: dict[str, Any]) -> Path:
        """Return the folder of an embedded collection: in the result, or the one that is configured."""
        if noted["host"]:
            raise self._not_yours({f"chromadb.{name}": noted[name] for name in ("host", "port")})
        if noted["folder"] and noted["folder"] != self.config["vector_db"]["path"]:
            raise self._not_yours({"path": noted["folder"]})
        folder = Path(noted["folder"] or self.path / self.living_folder)
        if not noted["folder"] and not folder.resolve().is_relative_to(self.path.resolve()):
            raise ResultsError(f"{folder} leads out of the result", hint="a result holds its own files")
        if not folder.is_dir():
            raise self._gone(f"no folder {folder}")
        return folder

    def _not_yours(self, keys: dict[str, Any]) -> ResultsError:
        words = " ".join(f"vector_db.{key}={value}" for key, value in keys.items())
        place = ", ".join(map(str, keys.values()))
        return ResultsError(
            f"{self.path / COLLECTION_FILE} says that the database is at {place}, "
            "which your configuration does not name; nothing was opened",
            hint=f"if it is yours, set {words}",
        )

    def _gone(self, what: str) -> ResultsError:
        return ResultsError(
            f"the Chroma collection of {self.path} is gone: {what}",
            hint="run `chemnet save_to_database` again",
        )

    def _open_alone(self, folder: Path) -> Any:
        """Return a client, one process at a time: two would make the tables of a new shared folder."""
        if self._table["host"]:
            return self._open_client(folder)
        with one_at_a_time(folder / ".chemnet.lock"):
            return self._open_client(folder)

    def _open_client(self, folder: Path) -> Any:
        """Return a client of the configured server or, without one, of the files in a folder."""
        require("chromadb", "vector_db.name = 'chromadb'")
        import chromadb
        from chromadb.config import Settings

        host, port = self._table["host"], self._table["port"]
        settings = Settings(anonymized_telemetry=False)
        if not host:
            with self._in_plain_words():
                return chromadb.PersistentClient(str(folder), settings=settings)
        try:
            return chromadb.HttpClient(host, port, settings=settings)
        except (ValueError, OSError) as error:
            raise ResultsError(
                f"no Chroma server answers at {host}:{port}: {error}",
                hint="start it (`chroma run`), or set vector_db.chromadb.host to false to embed the database",
            ) from error

    def insert(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Add vectors ``(n, latent_dim)``; n must not exceed `batch_size`."""
        with self._in_plain_words():
            self._collection.add(ids=list(ids), embeddings=np.ascontiguousarray(vectors, dtype=np.float32))

    def search_by_vector(self, vector: np.ndarray, k: int) -> Matches:
        """Return the `k` nearest to `vector` that the graph search finds."""
        query = np.asarray(vector, dtype=np.float32)[None, :]
        with self._in_plain_words():
            found = self._collection.query(query_embeddings=query, n_results=k, include=["distances"])
        # Chroma's "l2" is the squared distance
        return Matches(tuple(found["ids"][0]), np.sqrt(np.asarray(found["distances"][0], dtype=np.float64)))

    def get_by_id(self, sample_id: str) -> np.ndarray:
        """Return one stored vector."""
        with self._in_plain_words():
            found = self._collection.get(ids=[sample_id], include=["embeddings"])
        if not found["ids"]:
            raise NotFoundError(f"no state {sample_id!r} in the collection {self._collection.name}")
        return np.asarray(found["embeddings"][0], dtype=np.float32)

    def __len__(self) -> int:
        with self._in_plain_words():
            return int(self._collection.count())

    def close(self) -> None:
        """Close the client, so that its files can be moved."""
        if self._client is not None:
            self._client.close()
            self._client = self._collection = None
