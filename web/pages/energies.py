"""The energy of a job, in the lines of its page."""

from jobs.energy import Energy
from web.pages.amounts import figure
from web.translate import say

HOW = {
    "nvml": "{amount} Wh, by the GPU's meter",
    "rapl": "{amount} Wh, by the processor's meter",
    "estimate": "about {amount} Wh, estimated: no meter can be read",
    "mixed": "about {amount} Wh, by several meters or estimates",
}
WASTED = "{amount} Wh of it for work that was lost"
COST = "{amount} {currency}"
COST_AND_WASTE = "{amount} {currency}, {wasted} {currency} of it for work that was lost"


def lines(spent: Energy | None) -> list[str]:
    """What was used, what of it was for nothing, and what it cost; empty where nothing was metered."""
    if spent is None:
        return []
    told = [say(HOW[spent.source], {"amount": figure(spent.watt_hours)})]
    if spent.wasted_watt_hours > 0:
        told.append(say(WASTED, {"amount": figure(spent.wasted_watt_hours)}))
    if spent.cost is not None:
        values = {"amount": figure(spent.cost), "currency": spent.currency, "wasted": figure(spent.wasted_cost)}
        told.append(say(COST_AND_WASTE if spent.wasted_cost else COST, values))
    return told
