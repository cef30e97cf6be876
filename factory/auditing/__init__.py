"""People who look at accepted samples: whom they are shown, the page they work on, and their labels."""
