"""One module a command; each has a function (session, given) -> exit code."""
