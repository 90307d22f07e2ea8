"""The inside of :mod:`flowser.flow`."""
