"""The long-running parts and their supervision."""
