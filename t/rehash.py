#!/usr/bin/python3
"""What somebody can do who may write a ledger's file and knows how it is made, but has no token: runs SQL
without the triggers, then makes ids, numbers, hashes and indexes fit again.

rehash.py LEDGER STATEMENT...     ids are ten times what they were while the statements run; a statement
                                  "attach FILE" makes the tables of another ledger known as other.entry
"""
import hashlib
import sqlite3
import sys

FIELDS = ("tid run part unit owner lot profile device key serial digest_in digest_out status note").split()


def number(v, octets):
    return (v & (1 << 8 * octets) - 1).to_bytes(octets, "big")


def field(v):
    if isinstance(v, int):
        raise TypeError
    if v is None or v == b"":
        return number(-1, 4)
    v = v.encode() if isinstance(v, str) else v
    return number(len(v), 4) + v


def link(before, n, row):
    h = hashlib.sha256(before + number(n, 8) + number(row["id"], 8) + number(row["time"], 8) + number(row["kind"], 4))
    for name in FIELDS:
        if name == "part":
            h.update(number(row[name], 4))
        elif name == "status":
            h.update(number(row[name], 8))
        elif name in ("unit", "owner", "lot", "profile", "device", "note") and row[name] == "":
            h.update(number(0, 4))
        else:
            h.update(field(row[name]))
    data = row["data"] or b""
    h.update(number(len(data) if data else -1, 4) + data)
    return h.digest()


def first(row):
    return hashlib.sha256(b"certline ledger 1" + number(row["id"], 8) + field(row["nonce"]) + field(row["unit"]) +
                          field(row["program"]) + number(row["opened"], 8)).digest()


db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.row_factory = sqlite3.Row
triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
for t in triggers:
    db.execute("DROP TRIGGER " + t["name"])
for table, column in (("entry", "id"), ("fresh", "entry")):
    db.execute(f"UPDATE {table} SET {column} = -10 * {column}")
    db.execute(f"UPDATE {table} SET {column} = -{column}")
for statement in sys.argv[2:]:
    if statement.startswith("attach "):
        db.execute("ATTACH ? AS other", (statement[7:],))
    else:
        db.execute(statement)
heads = {w["id"]: [first(w), 0] for w in db.execute("SELECT * FROM writer")}
for i, row in enumerate(db.execute("SELECT * FROM entry ORDER BY id").fetchall(), 1):
    row = dict(row)
    old, row["id"] = row["id"], i
    head = heads[row["writer"]]
    head[1] += 1
    head[0] = link(head[0], head[1], row)
    db.execute("UPDATE entry SET id = ?, n = ?, hash = ? WHERE id = ?", (i, head[1], head[0], old))
    db.execute("UPDATE fresh SET entry = ? WHERE entry = ?", (i, old))
db.execute("DELETE FROM fresh WHERE entry NOT IN (SELECT id FROM entry WHERE kind = 12)")
db.execute("DELETE FROM writer WHERE id > (SELECT max(writer) FROM entry)")
db.execute("DELETE FROM quota")
db.execute("INSERT INTO quota SELECT ifnull(owner, ''), ifnull(lot, ''), count(*) FROM entry WHERE kind = 14 GROUP BY 1, 2")
for t in triggers:
    db.execute(t["sql"])
