"""Networks, losses and the coarse update: tensors in, tensors out, no files and no settings."""
