"""Metrics, log and status page. The daemon hands in what they show."""
