"""The one kind of error a user can cause and mend."""


class UserError(Exception):
    """A mistake in parameters, files or usage.

    The message is one line that names the file, line or key at fault, says what was
    expected and what to do. Commands print it on standard error and exit with status 2.
    """
