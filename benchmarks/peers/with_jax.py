"""JAX with Optax: an epoch or a whole fit as one `lax.scan`, a jitted step for each batch, or vmap."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from benchmarks.peers import COMPARED
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "tanh": jnp.tanh}


class Jax:
    """What the three share. The data stay on the device; batches are gathered inside the step."""

    probabilities = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w = workload
        self.data = jnp.asarray(setting.x), jnp.asarray(setting.t)
        self.setting, self.first = setting, setting.weights
        sgd = workload.optimizer == "sgd"
        self.optimizer = optax.sgd(workload.lr) if sgd else optax.adam(workload.lr, eps=ADAM_EPS)
        self.orders = Orders(workload)
        self.scores = jax.jit(self.forward)
        self.compile()
        self.restart()

    def compile(self) -> None:
        raise NotImplementedError

    def restart(self) -> None:
        params = [(jnp.array(W), jnp.array(b)) for W, b in self.first]
        self.state = params, self.optimizer.init(params)
        self.orders.restart()

    def forward(self, params: Any, x: Any) -> Any:
        activate = ACTIVATIONS[self.w.activation]
        for W, b in params[:-1]:
            x = activate(x @ W + b)
        W, b = params[-1]
        return x @ W + b

    def loss(self, params: Any, x: Any, t: Any) -> Any:
        y = self.forward(params, x)
        if self.w.task == "classes":
            return optax.softmax_cross_entropy_with_integer_labels(y, t).mean()
        return jnp.mean((y - t) ** 2)

    def step(self, state: Any, data: Any, rows: Any) -> Any:
        params, slots = state
        x, t = data
        batch = (x, t) if self.w.whole else (x[rows], t[rows])
        loss, grads = jax.value_and_grad(self.loss)(params, *batch)
        updates, slots = self.optimizer.update(grads, slots, params)
        return (optax.apply_updates(params, updates), slots), loss

    def predict(self, x: Array) -> Array:
        return np.asarray(self.scores(self.state[0], x))


class Scanned(Jax):
    """One call for an epoch; it gives the mean loss."""

    def whole_epoch(self, state: Any, data: Any, order: Any) -> Any:
        state, losses = jax.lax.scan(lambda s, rows: self.step(s, data, rows), state, order)
        return state, losses.mean()

    def compile(self) -> None:
        self.epoch = jax.jit(self.whole_epoch, donate_argnums=0)

    def epochs(self, k: int) -> list[float]:
        losses = []
        for _ in range(k):
            self.state, loss = self.epoch(self.state, self.data, self.orders.batches())
            losses.append(loss)
        jax.block_until_ready(self.state)
        return [float(loss) for loss in losses]


class Fitted(Scanned):
    """One call for the whole fit: nothing can be seen or stopped before its end."""

    def compile(self) -> None:
        def fit(state: Any, data: Any, orders: Any) -> Any:
            return jax.lax.scan(lambda s, order: self.whole_epoch(s, data, order), state, orders)

        self.fit = jax.jit(fit, donate_argnums=0)

    def epochs(self, k: int) -> list[float]:
        orders = np.stack([self.orders.batches() for _ in range(k)])
        self.state, losses = self.fit(self.state, self.data, orders)
        jax.block_until_ready(self.state)
        return [float(loss) for loss in np.asarray(losses)]


class Stepped(Jax):
    """One call for a step, and no wait for its loss before the next."""

    def compile(self) -> None:
        def step(state: Any, total: Any, data: Any, rows: Any) -> Any:
            state, loss = self.step(state, data, rows)
            return state, total + loss

        self.one_step = jax.jit(step, donate_argnums=(0, 1))

    def epochs(self, k: int) -> list[float]:
        losses = []
        for _ in range(k):
            state, total = self.state, jnp.zeros(())
            for rows in self.orders.batches():
                state, total = self.one_step(state, total, self.data, rows)
            self.state = state
            losses.append(float(total) / self.w.steps)
        jax.block_until_ready(self.state)
        return losses


class Mapped(Jax):
    """Many networks: each step is one `vmap` over them, the whole fit one call.

    Each network's orders are drawn beforehand, in no one's time.
    """

    def compile(self) -> None:
        w = self.w
        sgd = w.optimizer == "sgd"
        self.optimizer = optax.identity() if sgd else optax.scale_by_adam(eps=ADAM_EPS)
        self.rates = jnp.asarray(self.setting.rates)
        drawn = [Orders(w, seed) for seed in range(w.networks)]
        self.drawn = np.stack(  # (epochs, steps, networks, batch)
            [np.stack([o.batches() for o in drawn], axis=1) for _ in range(w.epochs)]
        )
        self.given: dict[int, Any] = {}

        def step(state: Any, lr: Any, data: Any, rows: Any) -> Any:
            params, slots = state
            x, t = data
            loss, grads = jax.value_and_grad(self.loss)(params, x[rows], t[rows])
            updates, slots = self.optimizer.update(grads, slots, params)
            params = jax.tree_util.tree_map(lambda p, u: p - lr * u, params, updates)
            return (params, slots), loss

        all_networks = jax.vmap(step, in_axes=(0, 0, None, 0))

        def fit(state: Any, lrs: Any, data: Any, orders: Any) -> Any:
            def one(s: Any, rows: Any) -> Any:
                s, losses = all_networks(s, lrs, data, rows)
                return s, losses[:COMPARED].mean()

            return jax.lax.scan(one, state, orders)

        self.fit = jax.jit(fit, donate_argnums=0)

    def restart(self) -> None:
        params = [(jnp.array(W), jnp.array(b)) for W, b in self.first]
        self.state = params, jax.vmap(self.optimizer.init)(params)

    def epochs(self, k: int) -> list[float]:
        self.state, losses = self.fit(self.state, self.rates, self.data, self.orders_of(k))
        jax.block_until_ready(self.state)
        return [float(loss) for loss in np.asarray(losses).reshape(k, -1).mean(axis=1)]

    def orders_of(self, k: int) -> Any:
        """The rows of k epochs, step by step, on the device."""
        if k not in self.given:
            orders = self.drawn[:k].reshape(-1, *self.drawn.shape[2:])
            self.given = {k: jax.block_until_ready(jnp.asarray(orders))}
        return self.given[k]
