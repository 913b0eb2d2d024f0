"""A host for tests: the genuine azure-functions-runtime library in a child process, without the .NET host.

What it runs is the code that indexes, decodes, calls and encodes in Azure on Python 3.13 and later. What it does not
cover: the .NET host itself, the extension bundle, authorization keys, cron parsing, scaling. The queue pump imitates
how the host polls queues.
"""
