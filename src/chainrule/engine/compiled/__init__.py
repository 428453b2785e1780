"""The compiled engine: a program written as Python loops, made machine code by Numba."""
