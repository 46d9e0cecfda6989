"""The one kind of error that a user can cause and fix."""

LONGEST = 2000
"""The characters of a message; of a longer one, the middle is left out."""


class UserError(Exception):
    r"""A mistake in parameters, files or usage.

    The message is one line that names the file, line or key at fault, says what was
    expected and what to do. Commands print it on standard error and exit with status 2.
    Whatever a message quotes from a file, it stays one visible line: line breaks and control
    characters are written as their escapes.

    >>> print(UserError("no word 'a\nb\x1b[2J'"))
    no word 'a\nb\x1b[2J'
    """

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))
