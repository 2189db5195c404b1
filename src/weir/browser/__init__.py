"""The client for web pages, ``weir.js``: the node serves it at ``/weir.js``."""
