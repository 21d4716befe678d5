"""How orders get into WORK and out again, whoever gives them."""
