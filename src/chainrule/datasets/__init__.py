"""Data sets: generated from a formula, bundled, or read from files; and their preprocessing."""

from chainrule.datasets.bundled import digits, iris, load, names, open_data, penguins
from chainrule.datasets.excel import read_excel
from chainrule.datasets.forms import Form
from chainrule.datasets.generated import blobs, circles, moons, spiral, xor
from chainrule.datasets.idx import read_idx
from chainrule.datasets.numpy_files import read_npy, read_npz
from chainrule.datasets.parquet import read_parquet
from chainrule.datasets.playground import playground
from chainrule.datasets.preprocessing import Preprocessor, rows_with_target
from chainrule.datasets.reading import read
from chainrule.datasets.splitting import stratified_split
from chainrule.datasets.sql import read_sql
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import parse_csv, read_csv

__all__ = [
    "Form",
    "Preprocessor",
    "Table",
    "blobs",
    "circles",
    "digits",
    "iris",
    "load",
    "moons",
    "names",
    "open_data",
    "parse_csv",
    "penguins",
    "playground",
    "read",
    "read_csv",
    "read_excel",
    "read_idx",
    "read_npy",
    "read_npz",
    "read_parquet",
    "read_sql",
    "rows_with_target",
    "spiral",
    "stratified_split",
    "xor",
]
