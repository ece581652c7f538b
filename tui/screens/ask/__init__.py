"""Questions laid over a screen: a look before a decision, a reason, a value, a person, a colleague, a set."""
