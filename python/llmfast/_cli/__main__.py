"""`python -m llmfast._cli` is the command `llmfast`."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
