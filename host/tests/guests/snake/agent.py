"""An agent in Python that misbehaves as its parameter `mode` says, on the first trade it hears of."""

import encodings.idna  # noqa: F401  (else names could not even be asked for)
import os
import random
import socket
import sys
import time

from hotpit_agent import Agent, Context, Param, Trade, league, log


class Snake(Agent):
    name = "snake"
    version = "0.1.0"
    subscriptions = [league("nfl")]

    mode = Param(str, "count", "How it misbehaves.")

    def __init__(self) -> None:
        super().__init__()
        self.state = {"trades": 0}

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        self.state["trades"] += 1
        ctx.cancel(self.state["trades"])
        getattr(self, self.mode)(ctx)

    def count(self, ctx: Context) -> None:
        log.info(f"trades={self.state['trades']}")

    def fail(self, ctx: Context) -> None:
        raise ValueError("as asked")

    def float_price(self, ctx: Context) -> None:
        ctx.buy(ctx.markets()[0], 0.45, 100)

    def leave(self, ctx: Context) -> None:
        sys.exit(3)

    def loop(self, ctx: Context) -> None:
        while True:
            pass

    def memory(self, ctx: Context) -> None:
        eaten = []
        while True:
            eaten.append(bytearray(1 << 20))

    def recursion(self, ctx: Context) -> None:
        self.recursion(ctx)

    def flood(self, ctx: Context) -> None:
        for order in range(500 if self.state["trades"] == 1 else 0):
            ctx.cancel(order)

    def world(self, ctx: Context) -> None:
        """Tells what it can reach."""
        print("printed", file=sys.stdout)
        print("printed as an error", file=sys.stderr)
        log.info(f"clock follows={time.time_ns() == ctx.now}")
        log.info(f"environment={dict(os.environ)}")
        log.info(f"random={random.SystemRandom().randrange(1 << 64)}")
        for name, reach in {
            "files": lambda: os.listdir("/"),
            "writing": lambda: open("/x", "w"),
            "network": lambda: socket.create_connection(("127.0.0.1", 80), 1),
            "names": lambda: socket.getaddrinfo("localhost", 80),
        }.items():
            try:
                log.info(f"{name}={reach()}")
            except Exception as error:
                log.info(f"{name}=none ({type(error).__name__})")
