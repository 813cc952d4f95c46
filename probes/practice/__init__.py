"""The vendor to practise on: support portal, telephone exchange and call centre on this machine."""
