"""The network, the coarse update and the classical estimators: tensors in, tensors out."""
