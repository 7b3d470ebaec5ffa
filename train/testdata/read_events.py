"""Prints the scalars of an event file as TensorBoard itself reads them: {tag: [[step, value], ...]}.

    python3 read_events.py RUN/events.out.tfevents.vf2prep

Works with tensorboard 2.21; TensorFlow is not needed.
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

# TensorBoard keeps a sample of long series unless it is told to keep all (0).
events = EventAccumulator(sys.argv[1], size_guidance={SCALARS: 0})
events.Reload()
json.dump({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}, sys.stdout)
