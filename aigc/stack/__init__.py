"""Everything on one machine with one command: a broker, the scheduler, a worker and the web server."""
