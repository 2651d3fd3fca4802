"""What the files hold: items, lines, manifests, export record, digest. Pure functions, stdlib only."""
