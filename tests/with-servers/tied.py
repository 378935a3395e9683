"""Runs a program for as long as its own standard input stays open, and then kills it.

Whoever starts a server holds the other end of that pipe. It closes when they let go of it, and also when they are killed, so no
server outlives the tests that it serves. It is killed and not asked: what it holds is thrown away with it.

    tied.py PROGRAM [ARGUMENT]…
"""

import os
import subprocess
import sys
import threading

program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)


def end_with_it():
    os._exit(program.wait())


threading.Thread(target=end_with_it, daemon=True).start()
while sys.stdin.buffer.read(1):
    pass
program.kill()
program.wait()
