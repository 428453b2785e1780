"""The compiled engine: it writes a program as Python loops, which Numba compiles to machine code."""
