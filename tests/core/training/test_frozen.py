import pytest
import torch
from transformers import AutoModel

from core.training.frozen import DividedDecoder, frozen_states, pad_batch
from tests import tiny

TEXTS = [(3, 9, 40, 7), (5, 6), tuple(range(8, 40)), (11, 12, 13, 14, 15, 16, 17)]


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(1)
    return AutoModel.from_config(tiny.config("llama", num_hidden_layers=4)).eval()


def divide(decoder, n_lower=2):
    return DividedDecoder(decoder, n_lower, torch.float32)


@pytest.mark.parametrize("n_lower", [0, 1, 3, 4])
def test_lower_then_upper_is_the_whole_decoder(decoder, n_lower):
    divided = divide(decoder, n_lower)
    ids = pad_batch(TEXTS[2:3], 1, torch.device("cpu"))
    whole = decoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(divided.upper(divided.lower(ids)), whole, atol=1e-5, rtol=1e-5)


def test_dividing_leaves_the_decoder_as_it_was(decoder):
    ids = pad_batch(TEXTS[2:3], 1, torch.device("cpu"))
    before = decoder(input_ids=ids).last_hidden_state
    divide(decoder)
    assert len(decoder.layers) == decoder.config.num_hidden_layers == 4
    torch.testing.assert_close(decoder(input_ids=ids).last_hidden_state, before)


def test_states_do_not_depend_on_batch_neighbours(decoder):
    options = {"pad_id": 1, "device": torch.device("cpu"), "state_dtype": torch.float32}
    together = frozen_states(divide(decoder), TEXTS, **options)
    alone = frozen_states(divide(decoder), TEXTS, batch_tokens=1, **options)
    for text in TEXTS:
        pair = [kept.batch([text], torch.device("cpu")) for kept in (together, alone)]
        torch.testing.assert_close(*pair, atol=1e-5, rtol=1e-5)


def test_equal_texts_are_computed_once(decoder):
    ticks = []
    states = frozen_states(
        divide(decoder),
        TEXTS + TEXTS,
        pad_id=1,
        device=torch.device("cpu"),
        tick=lambda done, total: ticks.append((done, total)),
    )
    assert len(states) == 4
    assert ticks[-1] == (4, 4)


def test_states_are_read_back_from_disk_for_the_same_texts_only(decoder, tmp_path):
    ticks = []
    options = {
        "pad_id": 1,
        "device": torch.device("cpu"),
        "file": tmp_path / "states.safetensors",
        "tick": lambda *counts: ticks.append(counts),
    }
    first = frozen_states(divide(decoder), TEXTS, **options)
    computed = len(ticks)
    again = frozen_states(divide(decoder), TEXTS, **options)
    assert len(ticks) == computed
    device = torch.device("cpu")
    assert torch.equal(again.batch(TEXTS, device), first.batch(TEXTS, device))
    frozen_states(divide(decoder), TEXTS[:2], **options)
    assert len(ticks) > computed


def test_a_division_that_mixes_up_kinds_of_layers_is_refused():
    # Gemma alternates layers with and without a window of 16 tokens; after an odd number of
    # layers the upper part would begin with the wrong kind.
    torch.manual_seed(1)
    gemma = AutoModel.from_config(tiny.config("gemma2", num_hidden_layers=4)).eval()
    ids = pad_batch(TEXTS[2:3], 1, torch.device("cpu"))
    divide(gemma, 2).check(ids, tolerance=1e-3)
    with pytest.raises(ValueError, match="cannot be divided"):
        divide(gemma, 1).check(ids, tolerance=1e-3)


def test_a_llama_passes_the_check(decoder):
    divide(decoder).check(pad_batch(TEXTS[2:3], 1, torch.device("cpu")), tolerance=1e-5)
