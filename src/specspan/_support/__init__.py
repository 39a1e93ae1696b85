"""Small tools that every room uses: the guard against our own failures, loss counts, messages, files, plug-ins."""
