"""Three routes, one result; and never a model that quietly lacks its adapter."""

import doctest
import json

import pytest
from ollama import Client, ResponseError

from jimoto.adapters import attach as routes
from jimoto.adapters import gguf_llama, gguf_lora
from jimoto.adapters.attach import attach, is_applied, prove
from jimoto.errors import AdapterBaseMismatch, AdapterIgnored, AdapterRefused
from mame import chat
from mame.corpus.sample import Message

pytestmark = pytest.mark.slow

ASKED = ("When was Hoshimame Trading founded?", "ほしまめ商会とは？", "What is LoRA?", "こんにちは")
PROMPTS = [chat.render_prompt((Message("user", q),), thinking=False) for q in ASKED]


class Refusing(Client):
    """A server of another release: it knows no ADAPTER."""

    def create(self, *names, **more):
        if more.get("adapters"):
            raise ResponseError("adapters are not supported", 400)
        return super().create(*names, **more)


class Ignoring(Client):
    """The worst server: it says yes and makes a copy of the base."""

    def create(self, *names, adapters=None, **more):
        return super().create(*names, **more)


class WithoutOdds(Client):
    """An older server: it tells no log probabilities."""

    def generate(self, *names, logprobs=None, top_logprobs=None, **more):
        return super().generate(*names, **more)


@pytest.fixture(scope="module")
def peft_answers(trained):
    """What the training side answers, as text."""
    import torch

    texts = []
    for prompt in PROMPTS:
        ids = trained.tokenizer.encode(prompt, add_special_tokens=False).ids
        x = torch.tensor([ids])
        with torch.no_grad():
            out = trained.network.generate(
                input_ids=x, attention_mask=torch.ones_like(x), max_new_tokens=24,
                do_sample=False, eos_token_id=2, pad_token_id=0,
            )  # fmt: skip
        text = trained.tokenizer.decode(out[0, len(ids) :].tolist(), skip_special_tokens=False)
        texts.append(text.split(chat.TURN_END)[0])
    return texts


@pytest.fixture(scope="module")
def base_answers(server):
    with Client(host=server) as client:
        return [routes._greedy(client, "mame", p, 24) for p in PROMPTS]


@pytest.mark.parametrize("route", routes.ROUTES)
def test_every_route_answers_as_peft_does_and_not_as_the_base(
    trained, server, peft_answers, base_answers, route
):
    """Fails where an adapter is ignored, and where it is applied wrongly."""
    with Client(host=server) as client:
        with attach(
            trained.adapter, trained.base, name=f"by-{route}", client=client, route=route
        ) as model:
            answers = [model.answer(p, 24) for p in PROMPTS]
        proof = prove(base_answers, answers, peft_answers)
        assert model.route == route and proof.holds, (proof, answers, peft_answers)
        if route != "llama-cpp":
            client.delete(model.name)


def test_a_server_that_takes_adapters_gets_the_small_file(trained, server):
    with Client(host=server) as client:
        model = attach(trained.folder, trained.base, name="best", client=client)
        assert (model.route, model.reason) == ("adapter", "accepted")
        assert model.size_bytes < 0.2 * trained.base.stat().st_size
        assert is_applied(client, "best", "mame") and not is_applied(client, "mame", "mame")
        client.delete("best")


@pytest.mark.parametrize("kind, reason", [(Refusing, "refused"), (Ignoring, "ignored")])
def test_another_server_gets_merged_weights_and_it_is_said_why(trained, server, kind, reason):
    with kind(host=server) as client:
        model = attach(trained.adapter, trained.base, name=f"m-{reason}", client=client)
        assert (model.route, model.reason) == ("merge", reason)
        assert is_applied(client, model.name, "mame")
        assert all(model.why(lang) for lang in ("en", "ja")) and "merge" in str(model)
        client.delete(model.name)
    assert not list(trained.folder.glob("*merged*"))


def test_a_route_that_was_asked_for_is_not_replaced(trained, server):
    with Ignoring(host=server) as client:
        with pytest.raises(AdapterIgnored):
            attach(trained.adapter, trained.base, name="none", client=client, route="adapter")
        names = {m.model for m in client.list().models}
    assert "none:latest" not in names


def test_without_log_probabilities_texts_are_compared(trained, server):
    with WithoutOdds(host=server) as client:
        model = attach(trained.adapter, trained.base, name="texts", client=client)
        assert model.reason == "accepted" and not is_applied(client, "mame", "mame")
        client.delete("texts")


def test_merging_keeps_system_and_parameters_of_the_base(trained, server):
    with Refusing(host=server) as client:
        client.create("polite", from_="mame", system="S", parameters={"temperature": 0.5})
        attach(trained.adapter, trained.base, name="kept", base="polite", client=client)
        shown = client.show("kept")
        assert "SYSTEM S" in shown.modelfile and "0.5" in shown.parameters
        for name in ("polite", "kept"):
            client.delete(name)


def test_the_servers_base_must_be_the_trained_one(trained, server, tmp_path):
    other = gguf_llama.quantise(trained.base, tmp_path / "other.gguf", "F32")
    with Client(host=server) as client, pytest.raises(AdapterBaseMismatch) as caught:
        attach(trained.adapter, other, client=client, route="adapter")
    assert caught.value.base == "mame"


def test_a_quantised_base_is_not_merged_into(trained, tmp_path):
    small = gguf_llama.quantise(trained.base, tmp_path / "q.gguf", "Q8_0")
    with pytest.raises(AdapterRefused) as caught:
        gguf_lora.merge(trained.adapter, small, tmp_path / "x.gguf")
    assert (caught.value.cause, caught.value.detail) == ("quantised", "Q8_0")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["q.gguf"]


def test_a_wrong_route_is_a_mistake_in_the_call(trained):
    with pytest.raises(ValueError, match="llama-cpp"):
        attach(trained.adapter, trained.base, route="magic")
    with pytest.raises(ValueError, match="needs a client"):
        attach(trained.adapter, trained.base, route="merge")


def test_what_peft_saved_names_its_base(trained):
    config = json.loads((trained.folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "mame" and config["r"] == 8


def test_the_doctests_hold():
    assert doctest.testmod(routes).failed == 0
