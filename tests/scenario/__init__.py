"""What the tests of all scenarios share: the stack as its users see it."""
