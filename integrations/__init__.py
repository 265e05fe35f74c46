"""Integrations: clients of other systems and the applications that move data between them."""
