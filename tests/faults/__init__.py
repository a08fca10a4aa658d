"""The fault harness: kills, freezes and outages on real services, against an oracle of its own."""
