"""REST over control and query: translate, call, translate back."""
