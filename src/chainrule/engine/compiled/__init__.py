"""The compiled engine: it writes a program as Python loops, which become machine code."""
