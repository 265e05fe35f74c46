"""Read models: their tables, folds, queries and rebuilds."""
