"""Carries entropy from hardware security modules to ESXi hosts, through vCenter."""
