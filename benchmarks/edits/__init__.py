"""Measure how edits are placed, with real files that a program changes."""
