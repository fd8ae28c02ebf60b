"""Which kernel runs when: scheduler, executor, worker process, configuration and checkpoint.

May import `task`, `probes`, `records`, `code_size` and the root modules (`kernel`, `stats`, `atomic`, `formatting`);
never `analysis`, `report` or `cli`.
Begin with `scheduler.py`; the clock is in `worker.py`.
"""
