"""Small tools that every room uses: internal failures, loss counts, messages, files, plug-ins, processes, caches."""
