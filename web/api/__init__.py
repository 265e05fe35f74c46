"""What programs ask: so far, whether we are well. The data of each page is beside it, at ``.json``."""
