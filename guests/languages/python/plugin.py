"""Counts words: a program from standard input to standard output."""

import json
import re
import sys


def count(request):
    words = re.findall(r"[^ \t\n\f\r]+", request["text"])
    return {"words": len(words), "unique": len(set(words)), "longest": max(words, key=len, default="")}


reply = json.dumps(count(json.load(sys.stdin.buffer)), ensure_ascii=False, separators=(",", ":"))
sys.stdout.buffer.write(reply.encode())
