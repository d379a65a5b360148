"""What follows a sale: invoice, service, return, amendment, buying again, going away."""

from streams.simulator.contact import call, visit, write
from streams.simulator.deal import Deal, close, home_money, in_one_go, open_deal
from streams.simulator.world import DAY_MS, HOUR_MS, MINUTE_MS, Account, Event, Part, Script, World, tell

_CHURN_REASONS = ("price", "competitor", "closed_down", "service", "no_longer_needed")


def purchase(world: World, account: Account, deal: Deal) -> None:
    """Let everything that a sale brings run its course."""
    world.spawn(invoice(world, account, deal), account)
    world.spawn(care(world, account, deal), account)
    if not deal.returning:
        world.spawn(relationship(world, account), account)


def invoice(world: World, account: Account, deal: Deal) -> Script:
    """Due, then paid; or overdue, and mostly paid after all."""
    said = {"deal_id": deal.deal_id, "invoice_id": account.thing("i")}
    due = {**deal.money(account, amount=deal.amount), **said}
    yield (world.after(DAY_MS), "deals", world.recall(account, "deal.invoice_due", due))
    late = world.chance() < 0.13
    if late:
        yield (14 * DAY_MS + world.after(4 * DAY_MS), "deals", world.recall(account, "deal.invoice_overdue", due))
    if not late or world.chance() < 0.65:
        yield (world.after(9 * DAY_MS), "deals", world.recall(account, "deal.invoice_paid", said))


def care(world: World, account: Account, deal: Deal) -> Script:
    """Complaint, satisfaction, correction and return of one sale."""
    product: Event = {"product": deal.lines[0]["product"]}
    unhappy = world.chance() < 0.09 / account.rep.skill
    if unhappy:
        event, _ = call(world, account, "inbound", 0.92, "support")
        yield (world.after(3 * DAY_MS), "calls", event)
        if world.chance() < 0.7:
            yield (world.after(HOUR_MS), "service", tell(account, "service.complaint", product))
    if world.chance() < 0.4:
        answer = tell(account, "service.satisfaction", rating(world, product, unhappy=unhappy))
        yield (world.after(4 * DAY_MS), "service", answer)
    if world.chance() < 0.03:
        deal.scale(0.9 + 0.15 * world.chance())
        own = deal.money(account, amount=deal.amount, cost=deal.cost)
        yield (world.after(2 * DAY_MS), "deals", world.recall(account, "deal.amended", own))
    if world.chance() < (0.3 if unhappy else 0.035):
        yield from give_back(world, account, deal)


def rating(world: World, product: Event, *, unhappy: bool) -> Event:
    """A score on the scale of the settings, or on one of ten."""
    share = (0.1 + 0.4 * world.chance()) if unhappy else 1.0 - 0.5 * world.chance() ** 2
    if world.chance() < 0.25:
        return {**product, "score": max(1, round(share * 10)), "scale": 10}
    return {**product, "score": max(1, round(share * 5))}


def give_back(world: World, account: Account, deal: Deal) -> Part[None]:
    """All of the sale comes back, or one line of it."""
    wait_ms = world.after(6 * DAY_MS)
    whole = len(deal.lines) == 1 or world.chance() < 0.3
    lines = deal.lines if whole else deal.lines[-1:]
    amount = sum(line["amount"] for line in lines)
    own = deal.money(account, amount=amount, cost=sum(line["cost"] for line in lines))
    if not whole or world.chance() < 0.6:
        own["items"] = [line.copy() for line in lines]
    elif world.chance() < 0.2:
        del own["amount"]
    world.revenue -= home_money(account, amount)
    yield (wait_ms, "deals", world.recall(account, "deal.returned", own))


def relationship(world: World, account: Account) -> Script:
    """A customer buys again and again, until told or silent churn."""
    while world.chance() < 0.62:
        yield world.pause(26 * DAY_MS)
        if world.chance() < 0.35:
            deal = yield from order_online(world, account)
        else:
            yield from write(world, account)
            deal = yield from open_deal(world, account, world.config.stages[-2], returning=True)
            if not (yield from close(world, account, deal)):
                deal = None
        if deal is not None:
            purchase(world, account, deal)
    if world.chance() < 0.45:
        own = {"reason": _CHURN_REASONS[int(world.chance() * len(_CHURN_REASONS))], "product": account.product.name}
        account.churned = True
        yield (world.after(20 * DAY_MS), "service", tell(account, "service.churned", own))


def order_online(world: World, account: Account) -> Part[Deal | None]:
    """A regular customer's order through the web site. Returns the deal if it was won."""
    yield (world.after(HOUR_MS), "web", visit(world, account, "regulars"))
    cart = {"cart_id": account.thing("k"), "product": account.product.name}
    yield (world.after(5 * MINUTE_MS), "web", tell(account, "web.cart_created", cart))
    if world.chance() < 0.35:
        yield (world.after(40 * MINUTE_MS), "web", tell(account, "web.cart_abandoned", cart))
        return None
    return (yield from in_one_go(world, account, returning=True))
