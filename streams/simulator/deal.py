"""A deal, from its creation until it is won or lost."""

from typing import TypedDict

from streams.simulator.contact import touch
from streams.simulator.world import DAY_MS, HOUR_MS, MINUTE_MS, Account, Event, Part, World

_LOST_REASONS = ("price", "competitor", "no_decision", "timing", "features")


class Line(TypedDict):
    """One item of a sale; amounts are those of the whole line, minor units of the account's currency."""

    product: str
    quantity: int
    amount: int
    cost: int


class Deal:
    """What is being sold, and what was said of it so far. Amounts are minor units of the account's currency."""

    __slots__ = ("amount", "cost", "deal_id", "lines", "returning", "said")

    def __init__(self, account: Account, lines: list[Line], *, returning: bool) -> None:
        """A deal that begins with these lines."""
        account.deals += 1
        self.deal_id = f"d-{account.number}-{account.deals}"
        self.lines = lines
        self.amount = sum(line["amount"] for line in lines)
        self.cost = sum(line["cost"] for line in lines)
        self.returning = returning
        self.said: Event = {"deal_id": self.deal_id}
        if len(lines) == 1:
            self.said["product"] = lines[0]["product"]

    def money(self, account: Account, **own: object) -> Event:
        """Fields of an event that states amounts, with the currency where it is a foreign one."""
        if account.currency is None:
            return {**self.said, **own}
        return {**self.said, "currency": account.currency.code, **own}

    def scale(self, factor: float) -> None:
        """Make every line dearer or cheaper; costs stay."""
        for line in self.lines:
            line["amount"] = round(line["amount"] * factor)
        self.amount = sum(line["amount"] for line in self.lines)


def put_together(world: World, account: Account, *, returning: bool) -> Deal:
    """A deal over the product of interest and perhaps some others; regular customers buy more."""
    products = [account.product if not returning or world.chance() < 0.4 else world.cast.product()]
    while len(products) < 4 and world.chance() < 0.28:
        extra = world.cast.product()
        if extra not in products:
            products.append(extra)
    lines: list[Line] = []
    for product in products:
        quantity = 1 + int(world.after(1.0 if returning else 0.7)) if product.price < 100_000 else 1
        factor = quantity * account.source.ticket * (0.82 + 0.36 * world.chance())
        amount, cost = account_money(account, product.price * factor), account_money(account, product.cost * quantity)
        lines.append({"product": product.name, "quantity": quantity, "amount": amount, "cost": cost})
    return Deal(account, lines, returning=returning)


def open_deal(world: World, account: Account, stage: str, *, returning: bool = False) -> Part[Deal]:
    """The deal is created in `stage`."""
    deal = put_together(world, account, returning=returning)
    own = deal.money(account, amount=deal.amount, cost=deal.cost, stage=stage)
    if world.chance() < 0.2:
        del own["cost"]
    yield (world.after(5 * HOUR_MS), "deals", world.recall(account, "deal.created", own))
    return deal


def close(world: World, account: Account, deal: Deal) -> Part[bool]:
    """Quotes, talks and the decision. Returns whether the deal was won."""
    stages = world.config.stages
    yield from touch(world, account)
    if world.chance() < 0.85:
        yield (world.after(DAY_MS), "deals", world.recall(account, "deal.quote_sent", deal.said))
    odds = account.source.win * account.rep.skill * (1.5 if deal.returning else 1.0)
    will = world.chance() < min(0.95, odds)
    if world.chance() < (0.7 if will else 0.15):
        yield (world.after(2 * DAY_MS), "deals", world.recall(account, "deal.quote_accepted", deal.said))
    if world.chance() < 0.6:
        own = {**deal.said, "from_stage": stages[-2], "to_stage": stages[-1]}
        yield (world.after(1.5 * DAY_MS), "deals", world.recall(account, "deal.stage_changed", own))
    yield from incidents(world, account, deal)
    yield from touch(world, account)
    yield world.pause(account.rep.pace * 2.5 * DAY_MS)
    if will and world.chance() < world.win_factor(account.source.name):
        yield from win(world, account, deal)
        return True
    return (yield from lose(world, account, deal))


def incidents(world: World, account: Account, deal: Deal) -> Part[None]:
    """What happens to some deals on the way: another amount, another rep."""
    if world.chance() < 0.09:
        deal.scale(0.8 + 0.3 * world.chance())
        own = deal.money(account, amount=deal.amount, cost=deal.cost)
        yield (world.after(DAY_MS), "deals", world.recall(account, "deal.amended", own))
    if world.chance() < 0.04:
        account.hand_to(world.cast.rep())
        own = {"rep_id": account.rep.rep_id, "team_id": account.rep.team_id, "region": account.rep.region}
        event = world.recall(account, "deal.reassigned", {**deal.said, **own})
        yield (world.after(DAY_MS), "deals", event)


def win(world: World, account: Account, deal: Deal) -> Part[None]:
    """The sale, told with items where it has several, and sometimes without what the deal said before."""
    own = deal.money(account, amount=deal.amount, cost=deal.cost)
    if len(deal.lines) > 1 or world.chance() < 0.4:
        own["items"] = [line.copy() for line in deal.lines]
        if world.chance() < 0.05:
            del own["amount"]
    if world.chance() < 0.05:
        del own["cost"]
    world.revenue += home_money(account, deal.amount)
    yield (world.after(5 * MINUTE_MS), "deals", world.recall(account, "deal.won", own))


def lose(world: World, account: Account, deal: Deal) -> Part[bool]:
    """The deal is lost. Returns whether it was won after all: a few are, weeks later."""
    own = {**deal.said, "reason": _LOST_REASONS[int(world.chance() * len(_LOST_REASONS))]}
    yield (world.after(5 * MINUTE_MS), "deals", world.recall(account, "deal.lost", own))
    if world.chance() > 0.02:
        return False
    yield world.pause(15 * DAY_MS)
    if world.chance() > world.win_factor(account.source.name):
        return False
    yield from win(world, account, deal)
    return True


def in_one_go(world: World, account: Account, *, returning: bool = False) -> Part[Deal | None]:
    """A purchase on the web site within minutes. Returns the deal if it was won."""
    deal = put_together(world, account, returning=returning)
    own = deal.money(account, amount=deal.amount, cost=deal.cost, stage=world.config.stages[-1])
    yield (world.after(8 * MINUTE_MS), "deals", world.recall(account, "deal.created", own))
    yield world.pause(10 * MINUTE_MS)
    if world.chance() < 0.9 * world.win_factor(account.source.name):
        yield from win(world, account, deal)
        return deal
    yield from lose(world, account, deal)
    return None


def account_money(account: Account, amount: float) -> int:
    """Minor units of the reporting currency, in minor units of the account's currency; at least one."""
    if account.currency is None:
        return max(1, round(amount))
    return max(1, round(amount / account.currency.rate * 10.0 ** (account.currency.digits - 2)))


def home_money(account: Account, amount: float) -> int:
    """Minor units of the account's currency, in minor units of the reporting currency."""
    if account.currency is None:
        return round(amount)
    return round(amount * account.currency.rate * 10.0 ** (2 - account.currency.digits))
