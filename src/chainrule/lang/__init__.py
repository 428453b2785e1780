"""Messages, the languages they can be shown in, and the catalogue of translations."""
