"""The fork server of query workers, started as ``python -I -m weir.query.zygote``."""

from weir.query.worker import serve_one, warm_up
from weir.workers.zygote import serve_forks

if __name__ == "__main__":
    serve_forks(warm_up=warm_up, serve_one=serve_one)
