"""`python -m bridge.cli`: the command without its installed script."""

import sys

from bridge.cli.main import main

sys.exit(main())
