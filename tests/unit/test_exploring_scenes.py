"""Scenes that are open: one question at a time of each, and nobody waits for a question to another."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cfgraph.exploring.scenes import SCENES_MAX, GoneError, Scenes


class Told:
    """What stands for a scene: it says how often it was closed and refreshed."""

    def __init__(self, id, beside):
        self.id, self.closed, self.refreshed = id, 0, 0
        self.beside = None if beside is None else Told(beside, None)

    def close(self):
        self.closed += 1

    def refresh(self):
        self.refreshed += 1


def never():
    return False


def test_what_was_looked_at_longest_ago_is_closed_with_the_one_beside_it():
    scenes, seen = Scenes(Told), []
    for number in range(SCENES_MAX + 1):
        with scenes.use(str(number), "beside", gone=never) as scene:
            seen.append(scene)
        with scenes.use(str(number), "beside", gone=never) as again:
            assert again is scene
    assert [scene.closed for scene in seen] == [1] + [0] * SCENES_MAX
    assert seen[0].beside.closed == 1
    scenes.forget("beside")
    assert all(scene.closed == 1 for scene in seen)
    with scenes.use("1", "beside", gone=never) as scene:
        assert scene is not seen[1]
    scenes.refresh("1")
    assert (scene.refreshed, scene.beside.refreshed) == (1, 1)


@pytest.mark.parametrize("forget", [False, True])
def test_nobody_waits_for_a_slow_question_to_what_is_to_be_closed(forget):
    scenes, begun, go_on, seen = Scenes(Told), threading.Event(), threading.Event(), []

    def slow():
        with scenes.use("slow", None, gone=never) as scene:
            seen.append(scene)
            begun.set()
            assert go_on.wait(60)
            assert scene.closed == 0  # while it is asked

    with ThreadPoolExecutor(2) as threads:
        late = threads.submit(slow)
        assert begun.wait(60)
        if forget:
            scenes.forget("slow")
        for number in range(SCENES_MAX):
            with scenes.use(str(number), None, gone=never):
                assert not late.done()
        with scenes.use("slow", None, gone=never) as another:
            assert another is not seen[0]
        go_on.set()
        late.result(60)
    assert seen[0].closed == 1


def test_who_has_gone_meanwhile_is_not_answered():
    scenes = Scenes(Told)
    with pytest.raises(GoneError), scenes.use("it", None, gone=lambda: True):
        raise AssertionError("answered")
    with scenes.use("it", None, gone=never) as scene:
        assert scene.id == "it"


def test_what_cannot_be_opened_is_opened_when_it_is_asked_for_again():
    opened = []

    def open_scene(id, beside):
        opened.append(id)
        if len(opened) == 1:
            raise ValueError(id)
        return Told(id, beside)

    scenes = Scenes(open_scene)
    with pytest.raises(ValueError, match="it"), scenes.use("it", None, gone=never):
        raise AssertionError("answered")
    with scenes.use("it", None, gone=never) as scene:
        assert scene.id == "it"
