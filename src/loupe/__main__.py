"""`python -m loupe` is the `loupe` command."""

import sys

from loupe.cli import main

sys.exit(main())
