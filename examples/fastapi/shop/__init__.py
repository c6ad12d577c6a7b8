"""A small shop over HTTP: an example of a service that can be observed."""
