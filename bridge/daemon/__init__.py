"""The composition root: builds the bridge from its configuration and keeps it running."""
