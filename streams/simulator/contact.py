"""Visits, calls and e-mails: the ways in which an account and its rep meet."""

from streams.simulator.world import HOUR_MS, MINUTE_MS, SECOND_MS, Account, Event, Part, Script, World, tell

CAMPAIGNS = ("spring-offer", "product-tour", "newsletter", "webinar", "year-end")
_UNANSWERED = ("no_answer", "no_answer", "busy", "voicemail", "voicemail", "failed")
_OUTBOUND_PURPOSES = ("sales", "sales", "sales", "information", "other")
_INBOUND_PURPOSES = ("price", "price", "information", "sales", "support")


def visit(world: World, account: Account, campaign: str) -> Event:
    """One visit to the web site; those of the source `ads` come through an advertisement."""
    own: Event = {"product": account.product.name, "advertisement": account.source.name == "ads"}
    if world.chance() < 0.8:
        own["campaign"] = campaign
    return tell(account, "web.visit", own)


def browse(world: World, account: Account) -> Part[bool]:
    """A few visits. Returns whether the visitor went on to leave a name."""
    campaign = CAMPAIGNS[int(world.chance() * len(CAMPAIGNS))]
    yield (world.after(MINUTE_MS), "web", visit(world, account, campaign))
    while world.chance() < 0.45:
        yield (world.after(5 * HOUR_MS), "web", visit(world, account, campaign))
    if world.chance() < 0.3:
        return False
    if world.chance() < 0.75:
        form = tell(account, "web.form_submitted", {"product": account.product.name})
        yield (world.after(4 * MINUTE_MS), "web", form)
    return True


def call(world: World, account: Account, direction: str, answered: float, purpose: str = "") -> tuple[Event, bool]:
    """A completed call. Returns its event and whether it was connected; inbound ones nearly always are."""
    connected = world.chance() < answered
    purposes = _OUTBOUND_PURPOSES if direction == "outbound" else _INBOUND_PURPOSES
    own = {
        "product": account.product.name,
        "direction": direction,
        "outcome": "connected" if connected else _UNANSWERED[int(world.chance() * len(_UNANSWERED))],
        "purpose": purpose or purposes[int(world.chance() * len(purposes))],
        "duration_s": int(world.after(260.0 * account.rep.skill)) if connected else int(world.chance() * 30),
        "call_id": account.thing("c"),
    }
    return tell(account, "call.completed", own), connected


def ring_until_answered(world: World, account: Account, attempts: int) -> Part[bool]:
    """Outbound calls until one is connected. Returns whether one was."""
    answered = min(0.85, 0.46 * account.rep.skill)
    for attempt in range(attempts):
        event, connected = call(world, account, "outbound", answered)
        yield (world.after(account.rep.pace * (2 * HOUR_MS if attempt == 0 else 9 * HOUR_MS)), "calls", event)
        if connected:
            return True
    return False


def write(world: World, account: Account, campaign: str | None = None) -> Part[bool]:
    """One e-mail and what becomes of it. Returns whether it was answered."""
    own: Event = {"message_id": account.thing("m")}
    if campaign is not None:
        own["campaign"] = campaign
    yield (world.after(account.rep.pace * 3 * HOUR_MS), "emails", tell(account, "email.sent", own))
    if world.chance() < 0.03:
        return False
    yield (world.after(8 * SECOND_MS), "emails", tell(account, "email.delivered", own))
    if world.chance() > 0.5 * account.source.quality:
        return False
    yield (world.after(3 * HOUR_MS), "emails", tell(account, "email.opened", own))
    if world.chance() < 0.2:
        yield (world.after(5 * HOUR_MS), "emails", tell(account, "email.opened", own))
    if world.chance() < 0.3:
        yield (world.after(2 * MINUTE_MS), "emails", tell(account, "email.clicked", own))
    if world.chance() > (0.12 if campaign else 0.5):
        return False
    yield (world.after(4 * HOUR_MS), "emails", tell(account, "email.replied", own))
    return True


def newsletter(world: World, account: Account) -> Script:
    """Campaign mail beside everything else; those who click come back to the site."""
    while world.chance() < 0.55 and not account.churned:
        campaign = CAMPAIGNS[int(world.chance() * len(CAMPAIGNS))]
        yield world.pause(150 * HOUR_MS)
        answered = yield from write(world, account, campaign)
        if not answered and world.chance() < 0.25:
            yield (world.after(3 * MINUTE_MS), "web", visit(world, account, campaign))


def touch(world: World, account: Account) -> Part[None]:
    """What passes between two decisions: a call out, a call in, or an exchange of mail."""
    draw = world.chance()
    if draw < 0.5:
        event, _ = call(world, account, "outbound", min(0.9, 0.62 * account.rep.skill))
        yield (world.after(account.rep.pace * 14 * HOUR_MS), "calls", event)
    elif draw < 0.7:
        event, _ = call(world, account, "inbound", 0.9)
        yield (world.after(20 * HOUR_MS), "calls", event)
    else:
        yield from write(world, account)
