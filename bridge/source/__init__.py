# SPDX-License-Identifier: Apache-2.0
"""One token's random bytes: the process that reads it, its supervision, and what it supplies.

Import from the modules; the child process imports this package too and has to stay small.
"""
