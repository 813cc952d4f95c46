"""From samples to the timeline of a call. Pure: arrays in, values out."""
