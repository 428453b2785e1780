"""How a network becomes a program: recorded, laid out, written down. Imported when one is asked for."""
