"""What holds for every test."""

import signal

# A shell starts what it puts in the background with SIGINT ignored, and that is inherited: the
# commands under test, which people end with Ctrl-C, would not hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
