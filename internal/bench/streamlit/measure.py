"""Does with Streamlit what each line on its input says, and answers with the seconds that it took.

A line is JSON: {"op": "query_hit", "n": 1000, "rows": 10, "threads": 1}. Outside of a running app
Streamlit's caches work as they do inside, without what an app adds to them.
"""

import json
import logging
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import streamlit as st  # noqa: E402
from st_supabase_connection import SupabaseConnection, execute_query  # noqa: E402

COLUMNS = "id, person, pet, age, weight, tame"
HOUR = 3600


class Work:
    def __init__(self, order):
        self.url = "sqlite:///" + order["sqlite"]
        self.supabase = st.connection(
            "supabase", type=SupabaseConnection, url=order["url"], key=order["key"]
        )
        self.sql = self.connection(0)

    def connection(self, _rows):
        # max_overflow: with the default pool, query leaves its connections to the garbage collector,
        # and the sixteenth miss waits 30 s for one and fails.
        return st.connection("pets", type="sql", url=self.url, max_overflow=-1)

    def text(self, rows):
        return f"select {COLUMNS} from owners order by id limit {rows}"

    def query_hit(self, rows):
        return len(self.sql.query(self.text(rows), ttl=HOUR, show_spinner=False))

    def query_miss(self, rows):
        return len(self.sql.query(self.text(rows), ttl=0, show_spinner=False))

    def execute(self, rows, ttl):
        return len(execute_query(self.supabase.table("owners").select("*").limit(rows), ttl=ttl).data)

    def execute_hit(self, rows):
        return self.execute(rows, HOUR)

    def execute_miss(self, rows):
        return self.execute(rows, 0)


def measure(do, rows, n, threads):
    def some(count):
        for _ in range(count):
            got = do(rows)
            if isinstance(got, int) and got != rows:
                raise ValueError(f"{got} rows, want {rows}")

    if threads == 1:
        begin = time.perf_counter()
        some(n)
        return time.perf_counter() - begin
    failures = []

    def run(count):
        try:
            some(count)
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    counts = [n // threads + (i < n % threads) for i in range(threads)]
    workers = [threading.Thread(target=run, args=(c,)) for c in counts]
    begin = time.perf_counter()
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    took = time.perf_counter() - begin
    if failures:
        raise failures[0]
    return took


def main():
    out = sys.stdout
    sys.stdout = sys.stderr  # nothing else may write among the answers
    work = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["op"] == "setup":
                work, took = Work(order), 0.0
            else:
                took = measure(getattr(work, order["op"]), order["rows"], order["n"], order["threads"])
            answer = {"seconds": took}
        except Exception as e:  # noqa: BLE001
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
