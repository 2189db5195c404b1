"""The operator's verbs over ``run/control.sock``: a module of rows a noun."""
