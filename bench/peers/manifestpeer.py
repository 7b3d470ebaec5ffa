"""A worker of the manifest benchmark: manifestpeer.py NAME ROOT OUT THREADS.

Joins lists, loose boxes, loose landmarks and identity_meta.csv below ROOT by NAME_ID and identity,
to the columns of vf2prep's manifest, sorted by subset, identity, image and face, as Parquet with
zstd. Columns that only an image could fill are null, as in vf2prep's with --no-scan. Prints the
seconds and the CPU seconds, imports not counted.

manifestpeer.py check OURS THEIRS compares two results row by row.
"""

import csv
import os
import sys
import time

SUBSETS = ("train", "test")
BOX = ["box_x", "box_y", "box_w", "box_h"]
MARKS = [f"l{a}{i}" for i in range(1, 6) for a in "xy"]
NULLS = {"bytes": "int64", "width": "int32", "height": "int32", "components": "int32", "format": "string", "xxh3": "uint64"}
AFTER = {"age": "float", "age_source": "string"}
GROUP = 1 << 17  # rows in a row group, as vf2prep's


def paths(root):
    lists = [f"{root}/meta/{s}_list.txt" for s in SUBSETS]
    return lists, *([f"{root}/bb_landmark/loose_{k}_{s}.csv" for s in SUBSETS] for k in ("bb", "landmark"))


def people(root):
    """identity -> (name, gender); 9,131 rows of a dialect that not every library reads."""
    with open(f"{root}/meta/identity_meta.csv", newline="") as f:
        rows = [r for r in csv.reader(f, skipinitialspace=True) if r and r[0].startswith("n")]
    return [r[0] for r in rows], [r[1] for r in rows], [r[4].strip() for r in rows]


def with_pandas(root, out, threads):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(threads)

    def run():
        lists, boxes, marks = paths(root)
        text = pd.ArrowDtype(pa.string())
        parts = []
        for subset, path in zip(SUBSETS, lists):
            t = pd.read_csv(path, header=None, names=["file"], dtype=text, engine="pyarrow", dtype_backend="pyarrow")
            t["subset"] = pd.Categorical.from_codes([SUBSETS.index(subset)] * len(t), list(SUBSETS), ordered=True)
            parts.append(t)
        t = pd.concat(parts, ignore_index=True)
        t["name_id"] = t["file"].str.slice(0, -4)
        t["path"] = t["subset"].astype(text) + "/" + t["file"]
        t["identity"] = t["name_id"].str.slice(0, 7)
        number = t["name_id"].str.slice(8).str.split("_", expand=True)
        t["image"], t["face"] = number[0].astype("int32"), number[1].astype("int32")
        for files, names in ((boxes, BOX), (marks, MARKS)):
            read = [pd.read_csv(f, header=0, names=["name_id", *names], engine="pyarrow", dtype_backend="pyarrow",
                                dtype={"name_id": text} | dict.fromkeys(names, "float32")) for f in files]
            t = t.merge(pd.concat(read, ignore_index=True), on="name_id", how="left")
        ids, name, gender = people(root)
        t = t.merge(pd.DataFrame({"identity": ids, "name": name, "gender": gender}, dtype=text), on="identity", how="left")
        t = t.sort_values(["subset", "identity", "image", "face"], ignore_index=True)
        t["subset"] = t["subset"].astype(text)
        for c, kind in (NULLS | AFTER).items():
            t[c] = pd.array([None] * len(t), dtype=pd.ArrowDtype(pa.type_for_alias(kind)))
        table = pa.Table.from_pandas(t[columns()], preserve_index=False)
        problems = pa.ListArray.from_arrays(pa.array([0] * (len(t) + 1), pa.int32()), pa.array([], pa.string()))
        pq.write_table(table.append_column("problems", problems), out, compression="zstd", compression_level=1, row_group_size=GROUP)

    return run


def columns():
    return ["name_id", "identity", "name", "image", "face", "subset", "path", *NULLS, *BOX, *MARKS, "gender", *AFTER]


def with_duckdb(root, out, threads):
    import duckdb

    def run():
        db = duckdb.connect(config={"threads": threads})
        lists, boxes, marks = paths(root)
        ids, name, gender = people(root)
        db.execute("create temp table people as select unnest(?) as identity, unnest(?) as name, unnest(?) as gender", [ids, name, gender])
        listed = " union all ".join(
            f"select file, '{s}' as subset, {i} as part from read_csv('{p}', header=false, columns={{'file': 'varchar'}})"
            for i, (s, p) in enumerate(zip(SUBSETS, lists)))
        table = lambda files, names: f"read_csv({files}, header=true, columns={({'name_id': 'varchar'} | dict.fromkeys(names, 'float'))})"
        null = lambda d: ", ".join(f"null::{ {'string': 'varchar', 'int64': 'bigint', 'int32': 'integer', 'uint64': 'ubigint'}.get(k, k) } as {c}" for c, k in d.items())
        db.execute(f"""
            copy (
              with l as (select file[:-5] as name_id, subset, part, subset || '/' || file as path, file[:7] as identity,
                           split_part(file[9:-5], '_', 1)::int as image, split_part(file[9:-5], '_', 2)::int as face from ({listed}))
              select l.name_id, l.identity, p.name, l.image, l.face, l.subset, l.path, {null(NULLS)}, {', '.join(BOX)}, {', '.join(MARKS)},
                p.gender, {null(AFTER)}, []::varchar[] as problems
              from l left join {table(boxes, BOX)} b using (name_id) left join {table(marks, MARKS)} m using (name_id)
                left join people p using (identity)
              order by l.part, l.identity, l.image, l.face
            ) to '{out}' (format parquet, compression zstd, compression_level 1, row_group_size {GROUP})""")
        db.close()

    return run


def with_polars(root, out, threads):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    kinds = {"string": pl.String, "int64": pl.Int64, "int32": pl.Int32, "uint64": pl.UInt64, "float": pl.Float32}

    def run():
        lists, boxes, marks = paths(root)
        t = pl.concat([
            pl.scan_csv(p, has_header=False, schema={"file": pl.String}).with_columns(subset=pl.lit(s), part=pl.lit(i))
            for i, (s, p) in enumerate(zip(SUBSETS, lists))])
        name_id = pl.col("file").str.head(-4)
        number = name_id.str.slice(8).str.split_exact("_", 1)
        t = t.select(
            "subset", "part", name_id=name_id, path=pl.col("subset") + "/" + pl.col("file"), identity=pl.col("file").str.head(7),
            image=number.struct.field("field_0").cast(pl.Int32), face=number.struct.field("field_1").cast(pl.Int32))
        for files, names in ((boxes, BOX), (marks, MARKS)):
            schema = {"name_id": pl.String} | dict.fromkeys(names, pl.Float32)
            t = t.join(pl.scan_csv(files, has_header=False, skip_rows=1, schema=schema), on="name_id", how="left")
        ids, name, gender = people(root)
        t = t.join(pl.LazyFrame({"identity": ids, "name": name, "gender": gender}), on="identity", how="left")
        t = t.sort("part", "identity", "image", "face")
        t = t.with_columns(**{c: pl.lit(None, kinds[k]) for c, k in (NULLS | AFTER).items()}, problems=pl.lit([], pl.List(pl.String)))
        t.select(*columns(), "problems").sink_parquet(out, compression="zstd", compression_level=1, row_group_size=GROUP)

    return run


def check(ours, theirs):
    """Fails unless both files have the same values in the same order."""
    import duckdb

    db = duckdb.connect()
    cols = ", ".join([*columns(), "problems"])
    source = lambda p: f"(select row_number() over () as place, {cols} from read_parquet('{p}'))"
    n = db.sql(f"select (select count(*) from '{ours}'), (select count(*) from '{theirs}')").fetchall()[0]
    odd = db.sql(f"select * from {source(ours)} except select * from {source(theirs)} limit 3").fetchall()
    if n[0] != n[1] or odd:
        sys.exit(f"{theirs} is not {ours}: rows {n}, such as {odd}")


def main():
    if sys.argv[1] == "check":
        check(*sys.argv[2:])
        return
    name, root, out, threads = sys.argv[1:]
    run = {"pandas": with_pandas, "duckdb": with_duckdb, "polars": with_polars}[name](root, out, int(threads))
    start, cpu = time.perf_counter(), time.process_time()
    run()
    print(time.perf_counter() - start, time.process_time() - cpu)


if __name__ == "__main__":
    main()
