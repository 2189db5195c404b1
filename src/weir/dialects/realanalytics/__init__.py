"""The RealAnalytics dialect."""
