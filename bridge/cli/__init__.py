"""The command `entropy-bridge`: thin faces of what the other rooms do."""
