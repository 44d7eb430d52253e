"""The lines of the second worker, to the broker and on PostgreSQL to the database, too."""

from tests.chaos.field import Field


def cut_lines(field: Field) -> None:
    """Every connection breaks; new ones work."""
    for relay in field.stack.relays:
        relay.cut()


def stall_line(field: Field) -> None:
    """No byte comes through for half a lease to two, and none is refused either; then everything flows."""
    field.take("line")
    relay = field.rng.choice(field.stack.relays)
    relay.stall()

    def flow() -> None:
        relay.flow()
        field.give_back("line")

    field.heal(field.rng.uniform(0.5, 2) * field.lease_seconds, flow)


def slow_line(field: Field) -> None:
    """Every piece takes 50 ms longer for a while."""
    field.take("line")
    relay = field.rng.choice(field.stack.relays)
    relay.flow(delay=0.05)

    def flow() -> None:
        relay.flow()
        field.give_back("line")

    field.heal(field.rng.uniform(1, 2) * field.lease_seconds, flow)
