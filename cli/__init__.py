"""``multiflexi-cli``: every command of the program, named ``entity:action``."""
