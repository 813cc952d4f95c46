"""What the events mean, worked out without contacting anyone: measures, promises, findings, stories. Pure."""
