"""The paths of the server, as FastAPI documents them at ``/openapi.json``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

import nlp_rnn
from nlp_rnn.errors import UserError
from nlp_rnn.inference.outputs import to_json
from nlp_rnn.process import log
from nlp_rnn.serving import examples
from nlp_rnn.serving.bodies import (
    LENGTH,
    Described,
    Generated,
    Listed,
    Predicted,
    Problem,
    Prompt,
    State,
    Texts,
)
from nlp_rnn.serving.door import Door, Refused
from nlp_rnn.serving.limits import DEFAULT, Limits
from nlp_rnn.serving.metrics import Metrics
from nlp_rnn.serving.models import Models, NoSuchModel, Served

EVENTS = "text/event-stream"

REASONS = {
    400: "The body is no JSON, or not complete.",
    401: "The API key is missing or wrong.",
    404: "No such model or version.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is of another type than JSON.",
    422: "The body does not hold what is expected, or too much of it.",
    503: "The server is busy; `Retry-After` says when to come back.",
    504: "The answer took too long.",
}


def make_app(
    models: Models,
    metrics: Metrics,
    limits: Limits = DEFAULT,
    key: bytes | None = None,
    poll: float = 0,
    stopping: Callable[[], bool] = lambda: False,
) -> Door:
    """The application.

    Args:
        models: what is served.
        metrics: where requests are counted.
        limits: what is taken from clients.
        key: the API key; None lets everybody in.
        poll: the seconds after which aliases are looked up again; 0 never does.
        stopping: returns whether the server is about to stop.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        polling = asyncio.create_task(_follow_aliases(models, poll))
        yield
        polling.cancel()

    app = FastAPI(
        title="nlp_rnn",
        version=nlp_rnn.__version__,
        description="Predictions of recurrent neural networks for text.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _Paths(models, metrics, limits, stopping).add_to(app, keyed=key is not None)
    _document(app, limits, models)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _no_such_path)
    app.add_exception_handler(RequestValidationError, _not_as_expected)
    app.add_exception_handler(Exception, _failed)
    door = Door(app, limits, key, metrics.request)
    metrics.watch("nlp_rnn_queue_requests", "Requests being answered.", lambda: door.inside)
    metrics.watch(
        "nlp_rnn_queue_texts",
        "Texts that wait for a batch.",
        lambda: sum(served.batcher.depth for served in models),
    )
    return door


async def _follow_aliases(models: Models, seconds: float) -> None:
    """Look up from time to time where aliases of registered models point."""
    while seconds:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(models.refresh)


def _document(app: FastAPI, limits: Limits, models: Models) -> None:
    """Write the limits and the names of models into the documentation."""
    documented = app.openapi()
    schemas = documented["components"]["schemas"]
    schemas["Texts"]["properties"]["texts"]["maxItems"] = limits.texts
    schemas["Prompt"]["properties"]["prompt"]["maxLength"] = limits.characters
    length = {"maximum": limits.tokens, "default": min(LENGTH, limits.tokens)}
    schemas["Prompt"]["properties"]["length"].update(length)
    for path, names in (
        ("predict", [served.name for served in models]),
        ("generate", [served.name for served in models if served.generates]),
    ):
        for parameter in documented["paths"][f"/models/{{name}}/{path}"]["post"]["parameters"]:
            if parameter["name"] == "name" and names:
                parameter["schema"]["enum"] = list(dict.fromkeys(names))


# --- paths --------------------------------------------------------------------------


class _Paths:
    """What is done at each path; see :func:`make_app`."""

    def __init__(
        self, models: Models, metrics: Metrics, limits: Limits, stopping: Callable[[], bool]
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._limits = limits
        self._stopping = stopping

    def add_to(self, app: FastAPI, keyed: bool) -> None:
        """Add the paths.

        Args:
            keyed: whether they need a key, for the documentation; the door checks it.
        """
        secured = [Depends(HTTPBearer(auto_error=False))] if keyed else []
        private: dict[str, Any] = {
            "dependencies": secured,
            "responses": _refusals([401] if keyed else []),
        }
        posts = {
            "dependencies": secured,
            "responses": _refusals(status for status in REASONS if keyed or status != 401),
        }
        app.get("/health")(self.health)
        app.get("/ready", responses=_refusals([503]))(self.ready)
        app.get("/metrics", response_class=_MetricsResponse, **private)(self.metrics)
        app.get("/models", **private)(self.models)
        app.post("/models/{name}/predict", **_answering(Predicted, posts, PREDICTED))(self.predict)
        app.post("/models/{name}/generate", **_answering(Generated, posts, GENERATED))(
            self.generate
        )

    async def health(self) -> State:
        """Whether the process answers at all."""
        return State(status="ok")

    async def ready(self) -> State:
        """Whether to send requests here: the models are loaded, and the server does not stop."""
        if self._stopping():
            raise Refused(503, "the server stops; send requests to another one")
        return State(status="ready")

    async def metrics(self) -> Response:
        """Metrics for Prometheus: requests, their seconds, sizes of batches, queues."""
        return _MetricsResponse(self._metrics.text())

    async def models(self) -> Listed:
        """What is served."""
        return Listed(
            models=[
                Described(
                    name=served.name,
                    version=served.version,
                    default=served is self._models.find(served.name),
                    task=served.task,
                    labels=served.bundle.labels,
                    intents=served.bundle.intents,
                )
                for served in self._models
            ]
        )

    async def predict(
        self, request: Request, name: str, asked: Texts, version: str | None = None
    ) -> Response:
        """Predict for texts; each gets what it would get alone."""
        served = self._find(request, name, version)
        asked.check(self._limits)
        try:
            async with asyncio.timeout(self._limits.seconds):
                predictions = await served.predict(asked.texts)
        except TimeoutError:
            raise self._too_slow("send fewer texts in a request") from None
        except UserError as error:
            raise _impossible(served, error) from None
        return _json(served, {"predictions": predictions})

    async def generate(
        self, request: Request, name: str, asked: Prompt, version: str | None = None
    ) -> Response:
        """Continue a text with a language model, token by token."""
        served = self._find(request, name, version)
        if not served.generates:
            raise Refused(
                404, f"{name} is a model for {served.task}; only language models generate text"
            )
        asked.check(self._limits)
        if asked.stream:
            return StreamingResponse(self._events(served, asked), media_type=EVENTS)
        pieces = [piece async for piece in self._pieces(served, asked)]
        return _json(served, {"text": asked.prompt + "".join(pieces)})

    async def _pieces(self, served: Served, asked: Prompt) -> AsyncGenerator[str, None]:
        """What is generated, within the time for an answer."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._limits.seconds
        length = min(asked.length, self._limits.tokens)
        generated = served.generate(asked.prompt, length, asked.sampling, asked.stop_at_end)
        async with aclosing(generated):
            try:
                while clock() < deadline:  # pieces that lie ready never time out
                    async with asyncio.timeout_at(deadline):
                        piece = await anext(generated, None)
                    if piece is None:
                        return
                    yield piece
            except TimeoutError:
                pass
            except UserError as error:
                raise _impossible(served, error) from None
            raise self._too_slow("ask for fewer tokens")

    async def _events(self, served: Served, asked: Prompt) -> AsyncGenerator[str, None]:
        """What is generated, as server-sent events."""
        text = asked.prompt
        try:
            async with aclosing(self._pieces(served, asked)) as pieces:
                async for piece in pieces:
                    text += piece
                    yield _event({"text": piece})
                    await asyncio.sleep(0)  # others have their turn even if pieces lie ready
        except Refused as refused:
            yield _event({"detail": refused.detail}, "error")
        else:
            yield _event(_of(served, {"text": text}), "end")

    def _find(self, request: Request, name: str, version: str | None) -> Served:
        try:
            served = self._models.find(name, version)
        except NoSuchModel as error:
            raise Refused(404, str(error)) from None
        request.scope["model"] = name
        return served

    def _too_slow(self, remedy: str) -> Refused:
        return Refused(504, f"no answer within {self._limits.seconds:g} s; {remedy}")


def _refusals(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": REASONS[status]} for status in statuses}


PREDICTED = {"application/json": {"examples": examples.PREDICTED}}
GENERATED = {
    "application/json": {"example": examples.GENERATED},
    EVENTS: {"schema": {"type": "string"}, "example": examples.STREAM},
}


def _answering(model: type[Any], common: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """The documentation of a path that answers with ``model``."""
    success = {"model": model, "description": "The answer.", "content": content}
    return {**common, "responses": {200: success, **common["responses"]}}


class _MetricsResponse(Response):
    media_type = CONTENT_TYPE_LATEST


def _of(served: Served, found: dict[str, Any]) -> dict[str, Any]:
    return {"model": served.name, "version": served.version, **found}


def _json(served: Served, found: dict[str, Any]) -> Response:
    """An answer in the JSON that files of predictions have."""
    return Response(to_json(_of(served, found)), media_type="application/json")


def _event(data: dict[str, Any], kind: str = "") -> str:
    """A server-sent event; JSON has no line breaks."""
    return (f"event: {kind}\n" if kind else "") + f"data: {to_json(data)}\n\n"


# --- what goes wrong ----------------------------------------------------------------


def _impossible(served: Served, error: UserError) -> Refused:
    """A text that the model cannot read. The log says why; clients need not know our files."""
    log(f"{served.name}: {error}")
    return Refused(422, f"{served.name} cannot read one of these texts; shorten it")


def _problem(status: int, detail: str, headers: Any = None) -> Response:
    return JSONResponse({"detail": detail}, status, headers)


async def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return _problem(refused.status, refused.detail, refused.headers)


async def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "no such path; /openapi.json lists those that are there"
    elif error.status_code == 405:
        detail = f"{request.method} is not for this path; see /openapi.json"
    return _problem(error.status_code, detail, error.headers)


async def _not_as_expected(request: Request, error: Exception) -> Response:
    """The first fault of a body, in one line."""
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"][1:] if not _is_type(part))
    if fault["type"] == "json_invalid":
        return _problem(400, f"the body is no JSON ({fault['ctx']['error']}); send JSON")
    if fault["type"] == "extra_forbidden":
        return _problem(422, str(UserError(f"{place:.100}: no such key; see /openapi.json")))
    if not place:
        return _problem(422, 'the body is no JSON object; send one such as {"texts": ["…"]}')
    return _problem(422, str(UserError(f"{place:.100}: {fault['msg']}; see /openapi.json")))


def _is_type(part: Any) -> bool:
    """Whether a part of a place names a member of a union, not a key."""
    return isinstance(part, str) and part in ("str", "list[str]")


async def _failed(request: Request, error: Exception) -> Response:
    return _problem(500, "the server failed; its log says why")
