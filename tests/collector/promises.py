"""What the docs promise of a Collector, and what they do not, row by row; tests name the row that they prove."""

from __future__ import annotations

KILLED = "a Collector is killed (SIGKILL), and starts again on its disk"
POWER = "its machine loses power"
AWAY = "the backend is away, times out, or answers 429, 502, 503, 504"
REFUSES = "the backend answers 400, 401, 403, 413 or another refusal"
QUEUE_FULL = "the queue is full"
DISK_FULL = "its disk is full"
MEMORY = "memory runs short"
GATEWAY_GONE = "a gateway is gone, for a while or for good"
GATEWAYS_CHANGE = "gateways become two, and three again"
DAMAGED = "a queue's file is damaged"
# In the order of the table.
PROMISED = (KILLED, POWER, AWAY, REFUSES, QUEUE_FULL, DISK_FULL, MEMORY, GATEWAY_GONE, GATEWAYS_CHANGE, DAMAGED)

KILLED_PROGRAM = "in the SDK of a program that is killed"
GIVEN_UP = "not taken by an agent for longer than the SDK tries"
GONE = "waiting on the disk of an agent whose machine is gone"
UNDECIDED = "traces without `flex.run.id` that wait for a decision of the gateway's sampler"
TOO_MANY = "more of those traces within `decision_wait` than `num_traces`"
NO_ROOM = "spans without `flex.run.id` that find no room in the gateway's queue"
FILES = "in `file/traces`, `file/logs`"
REMOTE_WRITE = "metrics by `prometheus_remote_write`"
NOT_PROMISED = (KILLED_PROGRAM, GIVEN_UP, GONE, UNDECIDED, TOO_MANY, NO_ROOM, FILES, REMOTE_WRITE)
