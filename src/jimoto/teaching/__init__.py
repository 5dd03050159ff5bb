"""What lessons and labs use to check, draw and show: a client of the server like any other."""
