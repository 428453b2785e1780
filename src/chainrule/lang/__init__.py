"""Every sentence once: messages, the languages they can be said in, and the catalogue of translations."""
