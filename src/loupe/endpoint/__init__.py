"""An OpenAI-compatible endpoint, asked politely: limits, retries, a cache, a ledger with a budget. No torch."""

from loupe.endpoint.cache import Cache
from loupe.endpoint.client import Client, EndpointError, Settings
from loupe.endpoint.ledger import Budget, Ledger, Spent
from loupe.endpoint.reply import Reply

__all__ = ["Budget", "Cache", "Client", "EndpointError", "Ledger", "Reply", "Settings", "Spent"]
