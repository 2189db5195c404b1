"""Reading the journals: frames to rows, with the ids, times and counts that belong to them."""
