"""Records as tables, text and files."""
