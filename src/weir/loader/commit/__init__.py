"""Lake commits: when to cut, what a cut holds, its files, and its one transaction."""
