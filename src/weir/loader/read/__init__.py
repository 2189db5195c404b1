"""Reading the journals: frames to rows, with the ids and times that belong to them."""
