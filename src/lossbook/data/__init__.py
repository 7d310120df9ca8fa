"""Data sets by name, as uint8 tensors; class splits and long tails; batches on the device."""
