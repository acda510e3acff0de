"""Measure how edits are placed: real files, changes by program, suggestions of models."""
