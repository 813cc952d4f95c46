"""Properties are checked without a deadline: how busy the machine is says nothing of the code."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
