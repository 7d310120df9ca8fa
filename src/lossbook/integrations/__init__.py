"""The hooks of objectives, called by other libraries' training loops.

``lossbook.integrations.lightning`` and ``lossbook.integrations.transformers`` hold one callback each, a
``LossbookCallback``; importing one imports its library.  It looks for objectives among the modules of the trained model and
calls ``start_epoch`` and ``after_step`` of those that need it, so that they train the same weights as a plain loop with hooks.

Both trainers make one step per batch.  ``cot`` and ``cot+occe``, which in the paper make two, take turns from batch to batch
there: with twice the epochs, they make as many steps on each of their two losses.
"""

__all__ = ["lightning", "transformers"]
