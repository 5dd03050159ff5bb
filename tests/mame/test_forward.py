"""The forward pass for training gives what transformers gives."""

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("transformers", reason="needs the extra 'train'")

import torch

from mame import forward, model

SHAPE = model.Shape(n_embd=128, n_layer=2, n_ff=256, n_head=2, n_kv_head=1, context_length=256)


@pytest.fixture(scope="module")
def network():
    return model.build(SHAPE, 300, seed=1)


@pytest.fixture(scope="module")
def ids():
    return torch.randint(300, (3, 17), generator=torch.Generator().manual_seed(1))


def gradient_of(network, hidden):
    network.zero_grad()
    hidden.pow(2).mean().backward()
    return network.model.layers[0].self_attn.k_proj.weight.grad.clone()


def test_hidden_states_and_gradients_are_those_of_transformers(network, ids):
    ours = forward.Body(network, 0, low=False, compiled=False)(ids)
    theirs = network.model(input_ids=ids, use_cache=False).last_hidden_state
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.allclose(gradient_of(network, ours), gradient_of(network, theirs), atol=1e-6)


def test_bfloat16_is_near_and_not_the_same(network, ids):
    exact = forward.Body(network, 0, low=False, compiled=False)(ids)
    low = forward.Body(network, 0, low=True, compiled=False)(ids)
    assert 0 < (exact - low).abs().max() < 0.03 * exact.abs().max()


def test_filling_up_to_one_shape_changes_nothing(network, ids):
    plain = forward.Body(network, 0, low=False, compiled=False)
    filled = forward.Body(network, 64, low=False, compiled=False)
    filled.compiled = True  # fills up as for a compiled kernel, without two minutes of compiling
    assert torch.allclose(plain(ids), filled(ids), atol=1e-5)


def test_a_token_sees_nothing_that_comes_after_it(network, ids):
    body = forward.Body(network, 0, low=False, compiled=False)
    changed = ids.clone()
    changed[:, 10:] = 7
    assert torch.equal(body(ids)[:, :10], body(changed)[:, :10])
