"""Labelled telephone calls made from packages by name, and the scorer that goes with them (see README.md)."""
