"""Widgets that show, and tell the screen by messages what a person did with them; the screen decides."""
