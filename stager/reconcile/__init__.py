"""Reconcile: link every row to its person by rule, and raise what no rule may decide as findings."""

from stager.reconcile.run import Outcome, look, reconcile, tell

__all__ = ["Outcome", "look", "reconcile", "tell"]
