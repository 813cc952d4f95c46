"""What the web ticket probe is made of: its part of the plan, finding elements, running steps, reading pages."""
