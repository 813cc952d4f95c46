"""Mail against real servers on loopback: a mailbox, servers that misbehave, a help desk that is written to."""
