"""What the loader answers on its socket, and the side of those who ask."""
