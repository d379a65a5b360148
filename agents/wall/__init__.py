"""The wall: a page for a big screen, and the HTTP API and stream behind it, fed from Redis alone."""

from agents.wall.routes import WallServer, start_wall, wall_routes

__all__ = ["WallServer", "start_wall", "wall_routes"]
