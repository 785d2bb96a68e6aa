"""ChromaDB as the vector database: embedded in the result directory, or on a server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from chemnet.errors import NotFoundError, ResultsError
from chemnet.extras import require
from chemnet.registry import VECTOR_DBS
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

    def create(self, latent_dim: int) -> Self:
        """Make an empty collection and note where it stands."""
        table = self.config["vector_db"]["chromadb"]
        place = {
            "collection": f"chemnet-{uuid.uuid4().hex}",
            "host": table["host"],
            "port": table["port"],
            "folder": self.config["vector_db"]["path"],
            "latent_dim": latent_dim,
        }
        self._client = self._open_client(place)
        graph = {name: table[name] for name in ("ef_construction", "max_neighbors", "ef_search")}
        self._collection = self._client.create_collection(
            place["collection"], embedding_function=None, configuration={"hnsw": {"space": "l2", **graph}}
        )
        (self.path / COLLECTION_FILE).write_text(json.dumps(place, indent=1) + "\n", encoding="utf-8")
        return self

    def connect(self) -> Self:
        """Open the collection; a host that is configured now wins over the one that it was made on."""
        place = self._place()
        self._client = self._open_client(place)
        from chromadb.errors import NotFoundError as ChromaNotFoundError

        try:
            self._collection = self._client.get_collection(place["collection"], embedding_function=None)
        except (ChromaNotFoundError, ValueError) as error:
            raise ResultsError(
                f"the Chroma collection {place['collection']} of {self.path} is gone",
                hint="run `chemnet save_to_database` again",
            ) from error
        return self

    def _place(self) -> dict[str, Any]:
        """Return where the collection stands."""
        file = self.path / COLLECTION_FILE
        if not file.is_file():
            raise ResultsError(
                f"{self.path} holds no Chroma collection", hint="run `chemnet save_to_database`"
            )
        place = json.loads(file.read_text(encoding="utf-8"))
        table = self.config["vector_db"]["chromadb"]
        return place | ({"host": table["host"], "port": table["port"]} if table["host"] else {})

    def _open_client(self, place: dict[str, Any]) -> Any:
        """Return a client of the server, or of the files in the result."""
        require("chromadb", "vector_db.name = 'chromadb'")
        import chromadb
        from chromadb.config import Settings

        if not place["host"]:
            folder = str(place["folder"] or self.path / self.living_folder)
            return chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
        try:
            settings = Settings(anonymized_telemetry=False)
            return chromadb.HttpClient(place["host"], place["port"], settings=settings)
        except (ValueError, OSError) as error:
            raise ResultsError(
                f"no Chroma server answers at {place['host']}:{place['port']}: {error}",
                hint="start it (`chroma run`), or set vector_db.chromadb.host to false to embed the database",
            ) from error

    def insert(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Add vectors ``(n, latent_dim)``; n must not exceed `batch_size`."""
        self._collection.add(ids=list(ids), embeddings=np.ascontiguousarray(vectors, dtype=np.float32))

    def search_by_vector(self, vector: np.ndarray, k: int) -> Matches:
        """Return the `k` nearest to `vector` that the graph search finds."""
        query = np.asarray(vector, dtype=np.float32)[None, :]
        found = self._collection.query(query_embeddings=query, n_results=k, include=["distances"])
        # Chroma's "l2" is the squared distance
        return Matches(tuple(found["ids"][0]), np.sqrt(np.asarray(found["distances"][0], dtype=np.float64)))

    def get_by_id(self, sample_id: str) -> np.ndarray:
        """Return one stored vector."""
        found = self._collection.get(ids=[sample_id], include=["embeddings"])
        if not found["ids"]:
            raise NotFoundError(f"no state {sample_id!r} in the collection {self._collection.name}")
        return np.asarray(found["embeddings"][0], dtype=np.float32)

    def __len__(self) -> int:
        return int(self._collection.count())

    def close(self) -> None:
        """Close the client, so that its files can be moved."""
        if self._client is not None:
            self._client.close()
            self._client = self._collection = None
