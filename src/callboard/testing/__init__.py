"""What the tests use to be the other side. Callboard itself imports nothing from here."""
