"""Sends events to a Weir node: in batches, in the background, each event once."""

from weir_client.aio import AsyncWeirClient
from weir_client.client import WeirClient
from weir_client.losses import Loss
from weir_client.options import Options
from weir_client.spool import SpoolUnusable
from weir_client.stats import Stats

__version__ = "0.1.0"
__all__ = ["WeirClient", "AsyncWeirClient", "Options", "Loss", "Stats", "SpoolUnusable"]
