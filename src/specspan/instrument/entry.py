"""Public functions that instrument clients; what they need is imported when they are called."""

from __future__ import annotations


def instrument(*names: str) -> None:
    """Have the calls of model clients met: those named, or every supported one as soon as the application imports it.

    ``"threading"``, which is no client, has what `context` and `override` state in force in threads and thread pools,
    too.

    A client's methods are wrapped where they are defined, so that clients made before are met too. Instrumenting what
    is instrumented already changes nothing. A client that is named is imported; without names, none is that the
    application does not import.

    Raises:
        MissingDependency: a client that is named is not installed.
        ConfigurationError: a name is unknown.
    """
    from specspan.instrument import install

    install.instrument(*names)


def uninstrument() -> None:
    """Put every wrapped or replaced function back as it was.

    A policy that stayed in force after `specspan.shutdown` is lifted, also from decorated functions.
    """
    from specspan.instrument import install

    install.uninstrument()
