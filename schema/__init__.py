"""The database: roles, migrations, functions and policies, and what brings a database up to date."""
