"""The file of a platform's own rules for screening, as a setting names it."""

from pathlib import Path
from typing import Final

from models.screening import SHIPPED_RULES, ScreeningRules

RULES_BYTES_MAX: Final = 1024 * 1024
"""A named limit: more than all labels and patterns of the greatest lengths take."""


def read_screening_rules(value: object) -> object:
    """Read the rules that a path names; an empty path stands for the shipped ones.

    Args:
        value: The text of the setting, or rules, which are returned as they are.

    Raises:
        ValueError: The file cannot be read, is too large, or its rules cannot be used.
    """
    if not isinstance(value, str):
        return value
    if not value:
        return SHIPPED_RULES
    try:
        with Path(value).open("rb") as file:
            data = file.read(RULES_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{value} cannot be read: {error.strerror}") from error
    if len(data) > RULES_BYTES_MAX:
        raise ValueError(f"{value} is larger than {RULES_BYTES_MAX:,} bytes")
    try:
        return ScreeningRules.parse(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{value} is not UTF-8: byte {error.start}") from error
    except ValueError as error:
        raise ValueError(f"{value}: {error}") from error
