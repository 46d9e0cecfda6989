"""The bodies of requests and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nlp_rnn.inference.generation import Sampling
from nlp_rnn.serving import examples
from nlp_rnn.serving.door import Refused
from nlp_rnn.serving.limits import Limits

MOST = 2**31 - 1
"""The largest number of any setting."""


LENGTH = 100
"""The tokens that are generated if a client does not say."""


def _whole(value: Any) -> Any:
    """A float without a fraction as an integer, as which JSON's schemas see it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole, json_schema_input_type=int)]


class _Asked(BaseModel):
    """What a client sends: nothing is converted, and no key is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Texts(_Asked):
    """Texts to predict for."""

    model_config = ConfigDict(json_schema_extra={"examples": examples.TEXTS})

    texts: list[str | list[str]] = Field(
        description="The texts; a list of strings is a text that is already split into words."
    )

    def check(self, limits: Limits) -> None:
        """Raise Refused if there are too many texts or one of them is too long."""
        if len(self.texts) > limits.texts:
            raise Refused(
                422,
                f"texts: {len(self.texts):,} texts, more than {limits.texts:,}; send them in "
                "several requests",
            )
        for number, text in enumerate(self.texts):
            _check_text(f"texts.{number}", text, limits)


class Prompt(_Asked):
    """A text to continue, and how."""

    model_config = ConfigDict(json_schema_extra={"examples": examples.PROMPT})

    prompt: str = Field("", description="The text to continue.")
    length: Whole = Field(LENGTH, ge=1, description="The most tokens to add.")
    stop_at_end: bool = Field(False, description="Whether to stop where the model ends a line.")
    temperature: float = Field(
        1.0,
        ge=0,
        le=MOST,
        allow_inf_nan=False,
        description="The divisor of the logits; 0 always takes the most likely token.",
    )
    top_k: Annotated[Whole, Field(ge=1, le=MOST)] | None = Field(
        None, description="Draw from this many most likely tokens."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Draw from the most likely tokens with this total probability."
    )
    seed: Annotated[Whole, Field(ge=0, le=MOST)] | None = Field(
        None, description="A seed, to get the same text every time."
    )
    stream: bool = Field(
        False,
        description="Whether to answer with server-sent events: one with a `text` for each token, "
        "then `end` with the whole answer, or `error` with a `detail`.",
    )

    @property
    def sampling(self) -> Sampling:
        """How to draw the tokens."""
        return Sampling(self.temperature, self.top_k, self.top_p, seed=self.seed)

    def check(self, limits: Limits) -> None:
        """Raise Refused if the prompt is too long or too many tokens are asked for."""
        _check_text("prompt", self.prompt, limits)
        if "length" in self.model_fields_set and self.length > limits.tokens:
            raise Refused(
                422,
                f"length: {self.length:,} tokens, more than {limits.tokens:,}; ask for fewer",
            )


def _check_text(what: str, text: str | Sequence[str], limits: Limits) -> None:
    characters = len(text) if isinstance(text, str) else sum(len(word) + 1 for word in text)
    if characters > limits.characters:
        raise Refused(
            422,
            f"{what}: {characters:,} characters, more than {limits.characters:,}; split it or "
            "shorten it",
        )
    try:
        "".join(text).encode()
    except UnicodeEncodeError:
        raise Refused(
            422, f"{what}: has half of a surrogate pair, which is no character; remove it"
        ) from None


class Problem(BaseModel):
    """Why there is no answer, and what to change, in one line."""

    detail: str


class State(BaseModel):
    """The state of the server."""

    status: str


class Described(BaseModel):
    """A version of a model that is served."""

    name: str
    version: str
    default: bool = Field(description="Whether it answers requests that name no version.")
    task: str
    labels: list[str] = Field(description="Labels or tags; empty for tasks without labels.")
    intents: list[str] = Field(description="Labels of texts whose words have tags, else empty.")


class Listed(BaseModel):
    """All versions of all models that are served."""

    models: list[Described]


class Predicted(BaseModel):
    """A prediction for each text, in order, as `nlp-rnn predict` writes it in JSON Lines."""

    model: str
    version: str
    predictions: list[dict[str, Any]]


class Generated(BaseModel):
    """The prompt and its continuation."""

    model: str
    version: str
    text: str
