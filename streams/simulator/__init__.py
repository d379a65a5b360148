"""A believable, seeded sales floor: simulated events of all eight topics, without I/O and without a clock.

The parts, in the order in which an event comes about:

* `config`: what can be set; sources, channels, products.
* `cast`: the teams and reps that a seed gives the floor.
* `journey`, `contact`, `deal`, `aftersales`: scripts of what one account goes through, in journey time.
* `agenda`: what the calendar brings: goals every month, spend every day.
* `pilot`: many journeys played through, to know what a lead brings on average.
* `rhythm`, `pacing`: when events happen: year, weekday, hour, and the average rate.
* `diary`: what is to come, in order; `engine`: joins it with the instants.
* `delivery`: duplicates, disorder and late arrival.
* `floor`: the entry point `simulate`, for histories; `live_floor`: the entry point `live`, for a floor that runs now.
"""

from streams.simulator.config import Channel, ConversionDrop, Currency, LivePace, Product, SimulationConfig, Source
from streams.simulator.engine import SimulatedEvent
from streams.simulator.floor import simulate
from streams.simulator.live_floor import live

__all__ = [
    "Channel",
    "ConversionDrop",
    "Currency",
    "LivePace",
    "Product",
    "SimulatedEvent",
    "SimulationConfig",
    "Source",
    "live",
    "simulate",
]
