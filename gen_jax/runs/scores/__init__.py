"""Anomaly scores of a trained model, a file each: of one example at a time, higher is stranger."""
