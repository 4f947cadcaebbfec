"""Feeding: the planner decides, the pusher does."""
