"""The metrics that a person may ask for, in the order of measuring. No JAX, so that help answers at once."""

NAMES = (
    "held_out", "fd", "fd_infinity", "kid", "is", "precision", "recall", "density", "coverage", "per_class_fd", "cas",
    "modes", "authpct", "ct", "nearest", "ms_ssim", "ppl", "psnr", "ssim", "nll", "bits_per_dim", "accuracy", "auroc",
    "average_precision", "fpr95", "latents", "probe", "clusters", "map", "disentanglement",
    "nrmse", "completion_psnr", "missing_nll", "interval_coverage", "completion_diversity",
    "utility", "column_shapes", "pair_trends", "detection", "closest_record",
)  # fmt: skip
