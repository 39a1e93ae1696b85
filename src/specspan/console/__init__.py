"""Console in a browser: figures, traces, specs, policies and reviews of one store, rendered on the server."""
