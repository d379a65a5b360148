"""From the first visit to a qualified lead, and what follows from that."""

from streams.simulator.aftersales import purchase
from streams.simulator.contact import browse, call, newsletter, ring_until_answered, touch, visit, write
from streams.simulator.deal import close, in_one_go, open_deal
from streams.simulator.world import DAY_MS, HOUR_MS, MINUTE_MS, Account, Part, Script, World, tell

_GOES_ON = (0.80, 0.66, 0.66, 0.72)
_REASONS = ("no_budget", "no_need", "wrong_fit", "competitor", "bad_timing")
_CART_SHARE = 0.16
_ABANDONED_SHARE = 0.58


def journey(world: World, account: Account) -> Script:
    """Everything that an account goes through until its first deal is decided."""
    if account.source.online and not (yield from browse(world, account)):
        return
    if account.source.online and world.chance() < _CART_SHARE and not (yield from shop(world, account)):
        return
    if account.deals:
        return
    yield from enter_lead(world, account)
    if world.chance() < 0.5:
        world.spawn(newsletter(world, account), account)
    stage = yield from qualify(world, account)
    if stage:
        deal = yield from open_deal(world, account, stage)
        if (yield from close(world, account, deal)):
            purchase(world, account, deal)


def enter_lead(world: World, account: Account) -> Part[None]:
    """The lead is created; a share of the leads have an id of their own beside the account's."""
    own: dict[str, object] = {"product": account.product.name}
    if world.chance() < 0.6:
        account.lead_id = f"l-{account.number}"
        own["lead_id"] = account.lead_id
    if world.chance() < 0.8:
        own["stage"] = world.config.stages[0]
    yield (world.after(6 * MINUTE_MS), "leads", tell(account, "lead.created", own))
    if world.chance() < 0.12:
        event, _ = call(world, account, "inbound", 0.88, "price" if world.chance() < 0.6 else "information")
        yield (world.after(HOUR_MS), "calls", event)


def shop(world: World, account: Account) -> Part[bool]:
    """A cart on the web site, abandoned or bought at once. Returns whether the account stays a lead or customer."""
    cart = {"cart_id": account.thing("k"), "product": account.product.name}
    yield (world.after(5 * MINUTE_MS), "web", tell(account, "web.cart_created", cart))
    if world.chance() < _ABANDONED_SHARE:
        yield (world.after(40 * MINUTE_MS), "web", tell(account, "web.cart_abandoned", cart))
        if world.chance() < 0.6:
            return False
        yield (world.after(DAY_MS), "web", visit(world, account, "come-back"))
        return True
    yield from enter_lead(world, account)
    deal = yield from in_one_go(world, account)
    if deal is not None:
        purchase(world, account, deal)
    return True


def qualify(world: World, account: Account) -> Part[str]:
    """The lead goes through the funnel. Returns the stage in which it was qualified; empty if it was not."""
    stages = world.config.stages
    if not (yield from reach(world, account)):
        if world.chance() < 0.6:
            yield from disqualify(world, account, stages[0], "unreachable")
        return ""
    yield from move(world, account, 0)
    odds = account.source.quality * (0.6 + 0.4 * account.rep.skill)
    for position in range(1, len(stages)):
        yield from touch(world, account)
        if world.chance() > _GOES_ON[min(position, len(_GOES_ON)) - 1] * odds:
            if world.chance() < 0.75:
                reason = _REASONS[int(world.chance() * len(_REASONS))]
                yield from disqualify(world, account, stages[position], reason)
            return ""
        last = position == len(stages) - 1
        if last or (position > 1 and world.chance() < 0.45):
            own = lead_fields(account, stages[position])
            yield (world.after(8 * HOUR_MS), "leads", world.recall(account, "lead.qualified", own))
            return stages[position]
        yield from move(world, account, position)
    return ""


def reach(world: World, account: Account) -> Part[bool]:
    """First contact, by message where the channel is a written one, else by telephone."""
    if account.channel.written and world.chance() < 0.7:
        for _ in range(2):
            if account.channel.name != "email" or (yield from write(world, account)):
                break
        else:
            return False
    elif not (yield from ring_until_answered(world, account, 3)):
        return False
    own = lead_fields(account, world.config.stages[0])
    yield (world.after(account.rep.pace * HOUR_MS), "leads", world.recall(account, "lead.contacted", own))
    return True


def move(world: World, account: Account, position: int) -> Part[None]:
    """The lead goes on from the stage at `position` to the next."""
    before, after = world.config.stages[position], world.config.stages[position + 1]
    own = {**lead_fields(account, after), "from_stage": before, "to_stage": after}
    wait_ms = account.rep.pace * (4 * HOUR_MS if position == 0 else 1.3 * DAY_MS)
    yield (world.after(wait_ms), "leads", world.recall(account, "lead.stage_changed", own))


def disqualify(world: World, account: Account, stage: str, reason: str) -> Part[None]:
    """The lead is given up."""
    own = {**lead_fields(account, stage), "reason": reason}
    yield (world.after(2 * DAY_MS), "leads", world.recall(account, "lead.disqualified", own))


def lead_fields(account: Account, stage: str) -> dict[str, object]:
    """The fields that every lead event has; no lead_id means the account's."""
    return {"stage": stage} if account.lead_id is None else {"lead_id": account.lead_id, "stage": stage}
