"""Load generators where wrk and h2load have none. Each is a program of its own and prints one line of JSON."""
