"""Programs by people who saw no rule of the diagnosis: how right it is where nobody could tune it."""
