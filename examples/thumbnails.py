"""A workflow in a dozen lines: activities at the same time, then a timer.

Run it by itself, or as a worker until it is stopped::

    python examples/thumbnails.py
    python -m flowser.run examples/thumbnails.py --local
"""

import asyncio

import flowser
from flowser import flow


@flow.activity(version="1.0", task_list="images")
async def resize(image: str, width: int) -> str:
    """Make a thumbnail."""
    return f"{image}@{width}"


@flow.workflow(version="1.0", task_list="albums")
async def album(images: list[str]) -> list[str]:
    """Make the thumbnails of an album."""
    thumbs = await asyncio.gather(*(resize(image, width=200) for image in images))
    await asyncio.sleep(1)  # an SWF timer
    return thumbs


class Photos(flowser.Domain):
    """Where albums are made."""

    name = "photos"
    workflow_types = [album]
    activity_types = [resize]


async def main() -> None:
    """Make one album."""
    async with flowser.connect_local() as conn:
        photos = Photos(conn)
        await photos.register()
        async with flowser.Worker(photos):
            given = album.input(["a.png", "b.png"])
            print(await (await photos.start(album, given, workflow_id="a-1")).result())


if __name__ == "__main__":
    asyncio.run(main())
