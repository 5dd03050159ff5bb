"""The server is killed while its store changes: a few rounds of what `make fuzz` does 50 times."""

import pytest
from crash import SCENES, play_all, room


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_whatever_moment_it_is_killed_no_model_is_half_there(scene):
    with room() as made:
        tally = play_all(made, scene, rounds=2, start=0)
    assert tally.rounds == 2
