"""The installation payload: an ESXi host's first entropy, and the `entropy` command around it."""
