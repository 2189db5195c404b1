"""The EdgeMQ data plane: records of any bytes."""
