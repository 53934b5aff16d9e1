"""The gateway beside nginx and HAProxy: the same load on each, round by round. `bench/compare` starts it."""
