"""What a Kubernetes object *is*: pure rules over plain manifests; knows no Hanse kind."""
