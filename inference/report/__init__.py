"""Views of tagged articles for people."""
