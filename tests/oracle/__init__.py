"""An independent account of events: straight Python, exact quantiles, Decimal money."""
