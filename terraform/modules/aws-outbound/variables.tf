# Nothing to set: the switch belongs to the account of the provider.
