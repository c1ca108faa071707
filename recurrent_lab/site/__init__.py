"""What shows studies: pages, claims board, search, a server on loopback."""
