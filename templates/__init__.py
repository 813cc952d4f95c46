"""Pages and letters (jinja2), found as package data in a checkout and in the wheel alike."""
