"""A real help desk of somebody else (django-helpdesk) on loopback, followed by the web ticket probe."""
