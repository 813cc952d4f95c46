"""The plan file: its shape, its reader with line numbers, and what a check of it prints."""
