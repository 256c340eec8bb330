"""What tests use to be the other side, and the demo its receiver. The server itself imports nothing from here."""
