"""Which kernel runs when: scheduler, executor, worker process, configuration and checkpoint.

May import `task`, `probes`, `records` and `code_size`; never `analysis`, `report` or `cli`.
Begin with `scheduler.py`; the clock is in `worker.py`.
"""
