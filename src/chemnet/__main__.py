"""``python -m chemnet``: the command line."""

import sys

from chemnet.cli import main

sys.exit(main())
