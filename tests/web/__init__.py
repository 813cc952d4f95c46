"""The browser, the web ticket probe and the practice portal, on real pages."""
