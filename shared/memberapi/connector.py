"""Connections to members, each made by the event loop from beginning to end.

aiohttp connects a socket of Python's and hands it to the loop. Where that connection is reset, or
given up, in this moment, uvloop (0.23) closes the descriptor, and the socket closes it once more
when it is forgotten. By then it may be another connection's, which from then on hears nothing, and
whoever is given the number next is refused it.
"""

from typing import Any

import aiohttp


class Connector(aiohttp.TCPConnector):
    """Overrides one method that is aiohttp's own; look at it when aiohttp is upgraded.

    The addresses of a name are tried one after the other, and not at the same time.
    """

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: list[Any], **kwargs: Any
    ) -> tuple[Any, Any]:
        *others, last = addr_infos
        for each in others:
            try:
                return await self._connect_to(each, *args, **kwargs)
            except aiohttp.ClientSSLError:
                # It is there, and another address will not be trusted more.
                raise
            except (aiohttp.ClientConnectorError, TimeoutError):
                continue
        return await self._connect_to(last, *args, **kwargs)

    async def _connect_to(self, address: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        host, port = address[4][:2]
        # A name has been looked up already: the loop is given a number.
        return await self._wrap_existing_connection(*args, host=host, port=port, **kwargs)
