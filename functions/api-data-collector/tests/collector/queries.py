"""Runs the SQL of a page with DuckDB, and prints the rows of the last query, a JSON object each.

Arguments: the page, the folder of the files. Every query of the page must have a row.
"""

import re
import sys

import duckdb

page, folder = sys.argv[1:]
with open(page, encoding="utf-8") as file:
    setup, *queries = re.findall(r"```sql\n(.*?)```", file.read(), re.DOTALL)
place = "SET VARIABLE store = '.data/api-calls/demo/api-calls';"
assert place in setup, f"{page} does not set the store as expected"
database = duckdb.connect()
database.execute(setup.replace(place, f"SET VARIABLE store = '{folder}';"))
rows = []
for query in queries:
    rows = database.execute(f"SELECT to_json(t)::varchar FROM ({query.strip().rstrip(';')}) t").fetchall()
    assert rows, f"no rows: {query}"
for (row,) in rows:
    print(row)
