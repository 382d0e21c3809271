"""Read an output's index: with SQL by DuckDB, and as a pandas table.

    python examples/read_index.py PAIRS

PAIRS is the folder that ``adabldm generate`` wrote. Its ``index`` is a Delta Lake table with one
row a request; the library ``deltalake`` reads it without Spark, here or in a bucket. The two
programs are in the extra ``adabldm[dev]``.
"""

from __future__ import annotations

import argparse

import duckdb
import pandas as pd
from deltalake import DeltaTable

WORST = 5


def main(pairs: str) -> None:
    """Print what was made and what not, what it took, and the pairs to look at first."""
    index = DeltaTable(f"{pairs.rstrip('/')}/index").to_pyarrow_table()

    # DuckDB reads Arrow tables by the name of their variable; figures are maps from name to number.
    print("requests by type and status, with their mean change under the mask")
    print(
        duckdb.sql(
            """
            select object, defect, status, count(*) as requests,
                   avg(quality['defect_change']) as grey_levels
            from index group by all order by all
            """
        )
    )
    print("why requests were rejected or failed")
    print(
        duckdb.sql(
            "select reason, count(*) as requests from index where reason is not null group by all"
        )
    )

    table = index.to_pandas()
    made = table[table.status == "ok"]
    quality = pd.DataFrame([dict(row) for row in made.quality], index=made.request_id)
    seconds = pd.DataFrame([dict(row) for row in made.seconds], index=made.request_id)
    print("seconds an image, by stage")
    print(seconds.mean().round(3).to_string())
    print("the defects that show least")
    columns = ["defect_change", "background_psnr_db"]
    print(quality.sort_values("defect_change")[columns].head(WORST).round(1).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", help="Folder or URI.")
    main(parser.parse_args().pairs)
