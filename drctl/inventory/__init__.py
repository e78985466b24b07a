"""The estate: sites, endpoints, services, and references to secrets."""
