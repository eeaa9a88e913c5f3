"""The Faust app of the worker, for `faust -A streams.app worker`; built from the settings."""

import sys

from streams.errors import EXIT_USER_ERROR, UserError
from streams.settings import load_settings
from streams.worker import product_app

try:
    app = product_app(load_settings())
except UserError as error:
    sys.stderr.write("".join(f"hotspots: {line}\n" for line in error.lines))
    sys.exit(EXIT_USER_ERROR)
