"""Makes the model of `probes/audio/` from package material."""
