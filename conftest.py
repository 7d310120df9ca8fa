"""What pytest leaves alone where an optional package is missing."""

import importlib.util

# Collecting a module's examples imports it; triton has wheels for Linux only.
collect_ignore = [] if importlib.util.find_spec("triton") else ["src/lossbook/losses/fused/binary_triton.py"]
