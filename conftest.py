"""What pytest does not collect."""

import importlib.util

# Collecting a module's examples imports it; triton has wheels for Linux only.
collect_ignore = [] if importlib.util.find_spec("triton") else ["src/lossbook/losses/fused/binary_triton.py"]

# They have no examples to run, and import whole training libraries.
collect_ignore += ["src/lossbook/integrations/lightning.py", "src/lossbook/integrations/transformers.py"]
