"""Telephone carriers behind one contract."""
