"""The domain: accounts, orders, invitations, reviews, instants. Plain values, no I/O."""
