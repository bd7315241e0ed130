"""A scripted server, once a module."""

from tests.server.scripted import bench, client, engine, plain_script

__all__ = ["bench", "client", "engine", "plain_script"]
