"""Break what the package promises to survive; each module prints one line of JSON."""
