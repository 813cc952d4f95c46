"""The documents that can be made of an analysis: each builds the values that its templates print."""
