"""What the api process answers: a module a noun, its rows and the functions that answer them."""
