"""What a server takes from its clients, at most."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The most that a client may ask of a server.

    Attributes:
        body: the bytes of a request.
        texts: the texts of a request.
        characters: the characters of a text.
        tokens: the tokens to generate.
        queue: the requests that are answered at a time; further ones are told to come back.
        seconds: the time from a request to its answer.
        patience: the seconds that the server waits for a client to send a request or to read an
            answer.
        connections: the open connections.
    """

    body: int = 1 << 20
    texts: int = 1000
    characters: int = 100_000
    tokens: int = 1000
    queue: int = 256
    seconds: float = 30.0
    patience: float = 10.0
    connections: int = 900


DEFAULT = Limits()
