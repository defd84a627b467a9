"""Import requests that another tool sent (``mark-sent``)."""
