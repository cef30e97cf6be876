"""How draws are shared out among problems and generators: arithmetic on counts and costs."""
