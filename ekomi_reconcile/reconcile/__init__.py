"""The reconciler: plan, apply, record."""
