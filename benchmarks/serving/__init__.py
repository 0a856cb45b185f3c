"""How fast the generated stack serves, against the tutorial's stack and bare nginx."""
