"""Why a number is what it is: its parts, how they spread over the window, and the events that made it."""
