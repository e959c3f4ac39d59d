"""HubSpot's half of the sandbox: the CRM API for contacts, companies and their properties, owners,
webhooks, a portal for each token.
"""

from integration.sandbox.hubspot.app import HubSpotSandbox

__all__ = ["HubSpotSandbox"]
