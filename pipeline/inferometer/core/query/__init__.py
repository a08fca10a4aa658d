"""Questions about what is stored: their words, what may be asked, and how answers are put together."""
