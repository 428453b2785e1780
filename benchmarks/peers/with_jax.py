"""JAX with Optax: an epoch or a whole fit as one `lax.scan`, or a jitted step for each batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "tanh": jnp.tanh}


class Jax:
    """What the three share. The data stay on the device; batches are gathered inside the step."""

    probabilities = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w = workload
        self.data = jnp.asarray(setting.x), jnp.asarray(setting.t)
        self.first = setting.weights
        sgd = workload.optimizer == "sgd"
        self.optimizer = optax.sgd(workload.lr) if sgd else optax.adam(workload.lr, eps=ADAM_EPS)
        self.orders = Orders(len(setting.x))
        self.scores = jax.jit(self.forward)
        self.compile()
        self.restart()

    def draw(self) -> Array:
        """The next epoch's rows, batch by batch."""
        return self.orders.draw().astype(np.int32).reshape(self.w.steps, self.w.batch)

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
        loss, grads = jax.value_and_grad(self.loss)(params, x[rows], t[rows])
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
            self.state, loss = self.epoch(self.state, self.data, self.draw())
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
        orders = np.stack([self.draw() for _ in range(k)])
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
            for rows in self.draw():
                state, total = self.one_step(state, total, self.data, rows)
            self.state = state
            losses.append(float(total) / self.w.steps)
        jax.block_until_ready(self.state)
        return losses
