"""Moves every case forward, one short tick at a time, over crashes and restarts."""
