"""The registry of measures: small pure functions from one case to its observations, with unit and kind."""
