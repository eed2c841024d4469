"""What touches the Kubernetes API: kopf handlers, finalizer and status writes, Secrets, Hubs."""
