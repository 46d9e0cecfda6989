"""Libraries that only some uses need: ``pyproject.toml`` names the extra that installs each."""

from __future__ import annotations

import importlib.util

from nlp_rnn.errors import UserError


def require(module: str, extra: str, purpose: str) -> None:
    """Fail early, and say how to go on, where an optional library is not installed.

    Args:
        module: as it is imported.
        extra: of this package, which installs it.
        purpose: what needs it, the start of the message.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"{purpose} needs {module}, which is not installed; "
            f"install it with: pip install 'nlp_rnn[{extra}]'"
        )
