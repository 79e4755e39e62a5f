"""Measures how long a function takes from its start to its first request for an event.

cold_start.py RUNS EXECUTABLE...   prints a line for each executable: its name, median and maximum in milliseconds.

A listener on loopback plays the Runtime API. The servers that the settings name do not exist: a function connects when it
handles an event, not before. The first run of an executable, which reads it from disk, does not count.
"""

import os
import socket
import statistics
import subprocess
import sys
import time

SETTINGS = {
    "ENV_PREFIX": "cold",
    "DATABASE_URL": "postgres://cold:cold@127.0.0.1:9/cold",
    "REDIS_GATE_URL": "redis://127.0.0.1:9",
    "REDIS_CACHE_URL": "redis://127.0.0.1:9",
    "KAFKA_BROKERS": "127.0.0.1:9",
    "PAYMENT_WEBHOOK_SECRET": "a secret of this measurement",
    "QUEUE_URL": "http://127.0.0.1:9/000000000000/changes",
    "AWS_ACCESS_KEY_ID": "cold",
    "AWS_SECRET_ACCESS_KEY": "cold",
    "AWS_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "cold",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_STREAM_NAME": "cold",
    "AWS_LAMBDA_LOG_GROUP_NAME": "cold",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "_HANDLER": "bootstrap",
}
TIMEOUT = 20


def first_request(executable):
    """Seconds from the start of the process to its first request for an event."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        environment = SETTINGS | {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1]}
        began = time.perf_counter()
        with subprocess.Popen([executable], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                with listener.accept()[0] as connection:
                    connection.settimeout(TIMEOUT)
                    line = connection.makefile("rb").readline()
                    took = time.perf_counter() - began
            except TimeoutError:
                line = b""
            process.kill()
            output = process.stdout.read().decode(errors="replace")
        if not line.startswith(b"GET /2018-06-01/runtime/invocation/next"):
            sys.exit(f"{executable} requested no event: {line!r}\n{output}")
        return took


def main():
    runs = int(sys.argv[1])
    for executable in sys.argv[2:]:
        times = [first_request(executable) * 1000 for _ in range(runs + 1)][1:]
        folder, name = os.path.split(executable)
        if name == "bootstrap":
            name = os.path.basename(folder)
        print(f"{name:20} {statistics.median(times):8.1f} {max(times):8.1f}", flush=True)


if __name__ == "__main__":
    main()
