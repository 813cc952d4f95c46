"""What was seen at a vendor. A probe holds no threshold and no verdict."""
