"""Mail: an account's servers, sending, the mailbox and its index, and reading what came."""
