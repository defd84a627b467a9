"""A local stand-in for eKomi: the core API, the review requests and an outbox to look into.

It is an independent reading of the public facts about eKomi and knows nothing of the client code, so
that a wrong assumption in the client does not repeat itself here. What the facts leave open is a
switch (:mod:`switches`), what goes wrong in real networks is a fault on demand (:mod:`faults`), and
time is a clock that can be set (:mod:`clock`).

========================  ==================================================================
``/v3/<function>``        core API: getShopDetails, getSnapshot, getAverage, getFeedback,
                          getProductfeedback, getSettings, putOrder, putProduct, getProduct
``/srr/add-recipient``    review requests (also without ``/srr``), with segments and settings
``/_sandbox/…``           what a test wants to see or change: switches, outbox, requests,
                          faults, clock, accounts, orders
========================  ==================================================================

A :class:`~.world.World` holds everything, :func:`~.app.create_app` serves one,
:class:`~.server.SandboxServer` runs it in a thread and :func:`~.server.serve` until interrupted.
Nothing here is safe to show to a network: passwords are public and nothing is written to disk.
"""
