"""Secrets of hooks: from a file or from the environment, never from the configuration itself.

They are held as `SecretStr`, so that no repr, no log and no error shows them.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets begin, and none itself
"""Standard Webhooks 1.0, "Signature scheme": how a symmetric secret is written."""
SECRET_BYTES_MIN: Final = 24
SECRET_BYTES_MAX: Final = 64
"""Standard Webhooks 1.0, "Signature scheme": between 192 and 512 bits."""
FILE_BYTES_MAX: Final = 64 * 1024
"""A named limit: far more than any address or secret."""


class SecretSource(BaseModel):
    """Where a secret is found: `{file = "/run/secrets/desk"}` or `{env = "DESK_SECRET"}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(default="", description="A file whose text it is.")
    env: str = Field(default="", description="A variable of the environment.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "SecretSource":
        if bool(self.file) == bool(self.env):
            raise ValueError("name either a file or an env, such as { file = '/run/secrets/desk' }")
        if self.env.upper().startswith("HOTSPOTS_"):
            raise ValueError("variables that begin with HOTSPOTS_ are settings: name another")
        return self

    def read(self) -> SecretStr:
        """Return the secret, without the line break at its end.

        Raises:
            ValueError: The file cannot be read, the variable is not set, or it is empty.
        """
        if self.env:
            text = os.environ.get(self.env, "")
            if not text.strip():
                raise ValueError(f"the variable {self.env} is not set")
            return SecretStr(text.strip())
        try:
            data = Path(self.file).read_bytes()[:FILE_BYTES_MAX]
            text = data.decode().strip()
        except OSError as error:
            raise ValueError(f"{self.file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            # Not chained: the error would quote the bytes.
            raise ValueError(f"{self.file} is not UTF-8 at byte {error.start}") from None
        if not text:
            raise ValueError(f"{self.file} is empty")
        return SecretStr(text)


def check_signing_secret(secret: SecretStr) -> None:
    """Check a secret that webhooks are signed with.

    Raises:
        ValueError: It is not `whsec_` and base64 of 24 to 64 bytes.
    """
    text = secret.get_secret_value()
    remedy = "such as the output of: echo whsec_$(openssl rand -base64 32)"
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"a signing secret begins with {SECRET_PREFIX}, {remedy}")
    try:
        length = len(base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True))
    except binascii.Error:
        # Not chained: what it says is about the secret.
        raise ValueError(f"a signing secret is base64 after {SECRET_PREFIX}, {remedy}") from None
    if not SECRET_BYTES_MIN <= length <= SECRET_BYTES_MAX:
        raise ValueError(
            f"a signing secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes and not "
            f"{length}, {remedy}"
        )
