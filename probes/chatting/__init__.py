"""What the chat probe is made of: its part of the plan, finding a chat on a page, reading it, holding it."""
