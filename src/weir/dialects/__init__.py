"""What vendors say: for each, its fields, what it takes and refuses, how it decodes and answers."""
