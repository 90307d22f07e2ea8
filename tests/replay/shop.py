"""Types that the tests of coroutine workflows share."""

from dataclasses import dataclass
from decimal import Decimal

from flowser import flow

workflow = flow.workflow(version="1", task_list="deciders")


@dataclass
class Receipt:
    """What a charge gives."""

    number: int
    amount: Decimal


@flow.activity(version="1.0", task_list="payers", description="Takes money.")
async def charge(order_id: str, amount: Decimal = Decimal(1)) -> Receipt:
    """Take money."""
    return Receipt(len(order_id), amount)


@flow.activity(version="2", task_list="payers", name="resize-image")
def resize(image: str, /, *, width: int) -> str:
    """Resize an image."""
    return f"{image}@{width}"


class CardDeclined(Exception):
    """There are no funds."""
