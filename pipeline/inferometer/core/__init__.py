"""Pure computation: no clocks, sockets, files, environment, logging or await."""
