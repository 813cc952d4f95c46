"""What happened and what was about to happen: events, effects, cases and artifacts. All SQL lives here."""
