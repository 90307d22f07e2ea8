"""Fan-out: a hundred activities, ten at a time, of which some may fail.

Run it::

    python examples/fan_out.py
"""

import asyncio
import logging

import flowser
from flowser import flow


@flow.activity(version="1.0", task_list="pages")
async def count_words(page: int) -> int:
    """Count the words of a page; one of them is missing."""
    if page == 13:
        raise FileNotFoundError(f"page {page}")
    return 300 + page


@flow.workflow(version="1.0", task_list="books")
async def book(pages: int) -> dict[str, int]:
    """Count the words of a book."""
    counts = await flow.amap(count_words, range(1, pages + 1), limit=10, tolerate=3)
    read = [count for count in counts if not isinstance(count, Exception)]
    return {"words": sum(read), "missing": len(counts) - len(read)}


class Library(flowser.Domain):
    """Where books are read."""

    name = "library"
    workflow_types = [book]
    activity_types = [count_words]


async def main() -> None:
    """Read one book."""
    async with flowser.connect_local() as conn:
        library = Library(conn)
        await library.register()
        async with flowser.Worker(library):
            run = await library.start(book, book.input(100), workflow_id="book-1")
            print(await run.result())


if __name__ == "__main__":
    logging.basicConfig(level="ERROR")  # activities that fail are warnings
    asyncio.run(main())
