"""The frameworks' own tests, run without and with us and compared: `make framework-tests`, which writes a page."""
