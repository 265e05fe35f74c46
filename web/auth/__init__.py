"""Who asks: signing in and out."""
