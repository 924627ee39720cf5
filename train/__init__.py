"""A recipe and pictures become a run with its generator (needs torch and torchvision).

``data/`` draws batches, ``losses/`` defines the losses; the modules here step, loop and save.
Nothing here exports, and generators lie elsewhere.

``pleinair.train(...)`` calls the room: its verb is ``api.train.train``.
"""

from ..calling import be_called

be_called(__name__, "pleinair.api.train.train", "train")
