"""How much work the engine gets done, and what waiting costs."""
