"""The network's forward pass, written for training on a CPU; the weights stay those of `model`.

The same arithmetic as `LlamaModel` of transformers, which a test compares, but in flat rows of
tokens, of one fixed number, with matrices multiplied in bfloat16 where the processor does that
faster than float32. It knows no optimizer, and of losses only that of `pointers`.
"""

from collections.abc import Callable
from typing import Any

from mame import pointers
from mame.model import ROPE_THETA


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in tiles (AMX) or a GPU is there."""
    import torch

    return bool(torch.cuda.is_available() or torch.cpu._is_amx_tile_supported())


class Body:
    """From token ids (B, T) to the last hidden states (B, T, width) of a `LlamaForCausalLM`.

    Compiled, everything but attention is one kernel each, for which B x T tokens are filled up
    to `n_token`: one shape, compiled once.
    """

    def __init__(self, model: Any, n_token: int, *, low: bool, compiled: bool) -> None:
        import torch

        self.model, self.n_token = model, n_token
        self.dtype = torch.bfloat16 if low else torch.float32
        wrap: Callable[..., Any] = (
            (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        )
        self.compiled = compiled
        self.before, self.after = wrap(before_attention), wrap(after_attention)
        self.head = model.config.hidden_size // model.config.num_attention_heads
        turns = ROPE_THETA ** (-torch.arange(self.head // 2) * 2.0 / self.head)
        angles = torch.outer(torch.arange(model.config.max_position_embeddings).float(), turns)
        self.cos, self.sin = angles.cos(), angles.sin()  # (context, HEAD / 2)
        self.astray: Any = 0.0  # of the last call: how far heads are from where `looks` points

    def __call__(self, ids: Any, looks: dict[pointers.Head, Any] | None = None) -> Any:
        """`looks`: by layer and head the (n, 3) of `pointers.astray`."""
        import torch

        self.astray = 0.0
        b, t = ids.shape
        n = max(b * t, self.n_token) if self.compiled else b * t
        flat = torch.nn.functional.pad(ids.reshape(-1), (0, n - b * t))
        place = torch.arange(n, device=ids.device) % t
        self.cos, self.sin = self.cos.to(ids.device), self.sin.to(ids.device)
        cos, sin = self.cos[place][:, None], self.sin[place][:, None]  # (N, 1, HEAD / 2)
        later = torch.ones(t, t, dtype=torch.bool, device=ids.device).triu(1)
        body = self.model.model
        h = body.embed_tokens(flat)  # (N, width)
        for number, layer in enumerate(body.layers):
            a, mlp = layer.self_attn, layer.mlp
            low = [
                torch.cat(group).to(self.dtype)
                for group in (
                    (a.q_proj.weight, a.k_proj.weight, a.v_proj.weight),
                    (a.o_proj.weight,),
                    (mlp.gate_proj.weight, mlp.up_proj.weight),
                    (mlp.down_proj.weight,),
                )
            ]
            q, k, v = self.before(h, layer.input_layernorm.weight, low[0], cos, sin)
            group = q.shape[1] // k.shape[1]
            rows = [
                x[: b * t].view(b, t, -1, self.head).transpose(1, 2)
                for x in (q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1))
            ]  # (B, heads, T, HEAD)
            for (at, head), where in (looks or {}).items():
                if at == number:
                    self.astray = self.astray + pointers.astray(rows[0], rows[1], head, where)
            seen = attention(*rows, later).transpose(1, 2).reshape(b * t, -1)
            seen = torch.nn.functional.pad(seen, (0, 0, 0, n - b * t))
            h = self.after(h, seen, low[1], layer.post_attention_layernorm.weight, *low[2:])
        return normalise(h[: b * t], body.norm.weight).view(b, t, -1)


def normalise(h: Any, gain: Any) -> Any:
    return h * (h.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * gain


def before_attention(h: Any, gain: Any, qkv: Any, cos: Any, sin: Any) -> tuple[Any, Any, Any]:
    """(N, width) → queries (N, heads, HEAD), keys and values (N, fewer heads, HEAD)."""
    import torch

    x = normalise(h, gain).to(qkv.dtype) @ qkv.T
    width = h.shape[1]
    n_kv = (qkv.shape[0] - width) // 2
    x, v = x[:, : width + n_kv].float(), x[:, width + n_kv :]
    half = cos.shape[-1]
    left, right = x.view(len(h), -1, 2, half).unbind(2)  # (N, heads, HEAD / 2)
    turned = torch.cat((left * cos - right * sin, right * cos + left * sin), -1).to(qkv.dtype)
    n_head = width // (2 * half)
    return turned[:, :n_head], turned[:, n_head:], v.reshape(len(h), -1, 2 * half)


def attention(q: Any, k: Any, v: Any, later: Any) -> Any:
    """(B, heads, T, HEAD) each. Rows are short: plain products beat torch's fused attention, whose
    backward pass on a CPU took ten times as long."""
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    return scores.masked_fill_(later, float("-inf")).softmax(-1).to(v.dtype) @ v


def after_attention(h: Any, seen: Any, out: Any, gain: Any, gate_up: Any, down: Any) -> Any:
    import torch

    h = h + (seen @ out.T).float()
    gate, up = (normalise(h, gain).to(out.dtype) @ gate_up.T).float().chunk(2, -1)
    return h + ((torch.nn.functional.silu(gate) * up).to(out.dtype) @ down.T).float()
