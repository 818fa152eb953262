"""The stored tables, one module each: the Arrow schema, the row type, a writer and a reader.

A writer turns values into a `pyarrow.Table`, a reader turns one back. Outside this package rows are typed values.
"""
