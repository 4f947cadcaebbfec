"""`python -m bridge.cli`: the command without its installed script."""

import sys

from bridge.cli.start import main

sys.exit(main())
