"""The worker: Celery carries a wake-up here, a supervisor claims a job, a runner with torch does the work.

Only :mod:`worker.runner` and what it loads import torch; every other process of the worker stays light.
"""
